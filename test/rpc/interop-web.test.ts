import { gunzipSync, gzipSync } from 'node:zlib';
import { createClient } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { describe, expect, test } from 'vitest';
import { ElementType, SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { PROTOCOLS, type Protocol, sequenceClient } from '../support/clients.ts';
import { sharedApp } from '../support/shared-app.ts';
import { encode, exchange, frame, headersOf, overHttp1, pathOf, WIRES } from '../support/wire.ts';

const ORIGIN = 'https://editor.example.org';
const app = sharedApp({ CORS_ORIGINS: ORIGIN });
const at = (scope: string) => ({ scope, elementType: ElementType.SCRIPT });

test.each(Object.keys(PROTOCOLS) as Protocol[])('connect-node: %s', async (protocol) => {
  const client = sequenceClient(app().url, protocol);
  const sequence = at(protocol);
  const { sequenceNumber, element } = await client.generate({
    ...sequence,
    elementId: 7n,
    content: { a: [1] },
  });
  expect([sequenceNumber, element?.elementId]).toEqual([1, 7n]);
  const read = await client.getElement({ ...sequence, elementId: 7n });
  expect(read.element?.content).toEqual({ a: [1] });
  await expect(client.getElement({ ...sequence, elementId: 8n })).rejects.toMatchObject({
    rawMessage: /not found/,
  });
});

describe('gRPC-web by fetch', () => {
  const post = (method: string, message: Uint8Array) =>
    fetch(`${app().url}${pathOf(method)}`, {
      method: 'POST',
      headers: { ...headersOf('grpc-web'), origin: ORIGIN, 'x-grpc-web': '1' },
      body: frame(message),
    });

  test('a message, then the trailers as a frame of the body', async () => {
    const message = encode('grpc-web', 'GetSequence', { elementType: 1 });
    const response = await post('GetSequence', message);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/grpc-web+proto');
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(response.headers.get('access-control-expose-headers')?.toLowerCase()).toContain(
      'grpc-status-details-bin',
    );
    const body = Buffer.from(await response.arrayBuffer());
    expect(body[0]).toBe(0);
    const trailers = body.subarray(5 + body.readUInt32BE(1));
    expect(trailers[0]).toBe(0x80);
    expect(trailers.subarray(5).toString()).toMatch(/grpc-status: *0\r\n/);
  });

  test('an error', async () => {
    const response = await post('GetSequence', new Uint8Array());
    const body = Buffer.from(await response.arrayBuffer()).toString('latin1');
    expect(response.status).toBe(200);
    expect(body + JSON.stringify([...response.headers])).toMatch(/grpc-status(: *|",")3/);
  });
});

describe('gzip', () => {
  test.each(WIRES)('there, over %s', async (wire) => {
    const framed = wire === 'grpc' || wire === 'grpc-web';
    const zipped = gzipSync(encode(wire, 'GetSequence', { elementType: 1, scope: 'x'.repeat(64) }));
    const reply = await exchange(app().url, wire, 'GetSequence', {
      path: pathOf('GetSequence'),
      headers: { ...headersOf(wire), [framed ? 'grpc-encoding' : 'content-encoding']: 'gzip' },
      body: framed ? frame(zipped, 1) : zipped,
    });
    expect(reply).toMatchObject({ code: 'OK', answer: { nextSequenceNumber: 1 } });
  });

  test('back, by a client that takes it', async () => {
    const client = sequenceClient(app().url);
    await client.generate({ ...at('zipped'), elementId: 1n, content: { a: 'x'.repeat(20_000) } });
    const body = Buffer.from(JSON.stringify({ scope: 'zipped', elementType: 1, elementId: '1' }));
    const headers = { 'content-type': 'application/json', 'accept-encoding': 'gzip' };
    const answer = await overHttp1(app().url, { path: pathOf('GetElement'), headers, body });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.body.length).toBeLessThan(2_000);
    expect(gunzipSync(answer.body).toString()).toContain('x'.repeat(20_000));
  });

  test.each([
    ['Connect', createConnectTransport],
    ['gRPC-web', createGrpcWebTransport],
    ['gRPC', createGrpcTransport],
  ] as const)('both ways by connect-node: %s', async (_, createTransport) => {
    const client = createClient(
      SequenceService,
      createTransport({
        baseUrl: app().url,
        httpVersion: '2',
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 1,
      }),
    );
    const sequence = at(createTransport.name);
    await client.generate({ ...sequence, elementId: 1n, content: { a: 'x'.repeat(200_000) } });
    const { element } = await client.getElement({ ...sequence, elementId: 1n });
    expect(element?.content).toEqual({ a: 'x'.repeat(200_000) });
  });
});

describe('CORS', () => {
  const preflight = (origin: string) =>
    fetch(`${app().url}${pathOf('Generate')}`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,connect-protocol-version,x-request-id',
      },
    });

  test('a listed origin may call', async () => {
    const { status, headers } = await preflight(ORIGIN);
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(headers.get('access-control-allow-methods')).toContain('POST');
    const allowed = headers.get('access-control-allow-headers')?.toLowerCase();
    for (const name of [
      'content-type',
      'connect-protocol-version',
      'connect-timeout-ms',
      'x-grpc-web',
      'grpc-timeout',
      'x-request-id',
    ])
      expect(allowed).toContain(name);
  });

  test.each(['https://editor.example.org.evil', 'http://editor.example.org', 'null'])(
    '%s may not',
    async (origin) => {
      expect((await preflight(origin)).headers.has('access-control-allow-origin')).toBe(false);
    },
  );
});
