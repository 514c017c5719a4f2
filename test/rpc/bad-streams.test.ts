import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { sharedApp } from '../support/shared-app.ts';
import { exchange, frame, headersOf } from '../support/wire.ts';

// What cannot be decoded in a stream meets the handler, not the edge; it is the caller's fault all the same.

const app = sharedApp();
const WATCH = '/grpc.health.v1.Health/Watch';
const INFO = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const BAD = [
  Buffer.from([0x00]),
  Buffer.alloc(20, 0xff),
  Buffer.concat([Buffer.from([0x07]), randomBytes(9)]),
];

test.each([
  ['grpc', WATCH],
  ['grpc', INFO],
  ['grpc-web', WATCH],
] as const)('%s: bytes that cannot be decoded, at %s', async (wire, path) => {
  for (const bytes of BAD) {
    const reply = await exchange(app().url, wire, path, {
      path,
      headers: headersOf(wire),
      body: frame(bytes),
    });
    expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(reply.message).toContain('parse binary');
  }
});

test.each([
  ['application/connect+proto', Buffer.alloc(20, 0xff)],
  ['application/connect+json', Buffer.from('{"extra":1}')],
])('Connect streaming: bytes that cannot be decoded, as %s', async (type, bytes) => {
  const request = { path: WATCH, headers: { 'content-type': type }, body: frame(bytes) };
  const { body } = await exchange(app().url, 'grpc-web', WATCH, request);
  expect(JSON.parse(body.subarray(5).toString())).toMatchObject({ error: { code: 'invalid_argument' } });
});

test('gRPC: a good message, then JSON that cannot be quoted', async () => {
  const good = frame(Buffer.from('{"listServices":""}'));
  const bad = frame(Buffer.from(`\u0001${'\u{10000}'.repeat(20)}`));
  const headers = { 'content-type': 'application/grpc+json', te: 'trailers' };
  const reply = await exchange(app().url, 'grpc', INFO, {
    path: INFO,
    headers,
    body: Buffer.concat([good, bad]),
  });
  expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(reply.body.toString()).toContain('SequenceService');
});

test('no defect of ours is counted', async () => {
  const metrics = await (await fetch(`${app().url}/metrics`)).text();
  expect(metrics).toMatch(/code="INVALID_ARGUMENT"/);
  expect(metrics).not.toMatch(/code="(INTERNAL|UNKNOWN)"/);
});
