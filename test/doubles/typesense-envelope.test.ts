import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startTypesense } from '../support/typesense/start.ts';
import { ask, messageOf } from './ask.ts';
import { asker, SCHEMA } from './typesense-asker.ts';

const KEY = { 'x-typesense-api-key': 'typesense-key' };

test('each check comes before the next', async () => {
  const double = await startTypesense();
  const { condition } = double;
  const long = `/collections/c1/documents/search?q=${'x'.repeat(4000)}`;
  condition.ready = { read: false, write: false };
  condition.rateLimited = true;
  condition.outOf = 'OUT_OF_DISK';
  condition.skipWrites = true;
  condition.shuttingDown = true;
  condition.leader = 'unknown';
  const write = async (headers: Record<string, string>) =>
    await ask(double.url, 'POST', '/collections', { body: JSON.stringify(SCHEMA), headers });

  expect((await ask(double.url, 'GET', long)).status).toBe(400);
  expect(await ask(double.url, 'PUT', '/collections')).toMatchObject({
    status: 404,
    body: '{ "message": "Not Found"}',
  });
  expect(await write({})).toMatchObject({ status: 503, body: '{ "message": "Not Ready or Lagging"}' });
  double.setReady(true);
  expect(await write({})).toMatchObject({
    status: 429,
    body: '{ "message": "Rate limit exceeded or blocked"}',
  });
  condition.rateLimited = false;
  expect(await write({})).toMatchObject({
    status: 401,
    body: '{"message": "Forbidden - a valid `x-typesense-api-key` header must be sent."}',
  });
  expect(messageOf(await write(KEY))).toBe('Shutting down.');
  condition.shuttingDown = false;
  const full = await write(KEY);
  expect([full.status, messageOf(full)]).toEqual([
    422,
    'Rejecting write: running out of resource type: OUT_OF_DISK',
  ]);
  condition.outOf = undefined;
  const skipped = await write(KEY);
  expect([skipped.status, messageOf(skipped)]).toEqual([422, 'Skipping writes.']);
  condition.skipWrites = false;
  expect(messageOf(await write(KEY))).toBe('Could not find a leader.');
  condition.leader = 'dead';
  const dead = await write(KEY);
  expect([dead.status, dead.body, dead.headers['content-type']]).toEqual([500, '', '']);
  condition.leader = 'here';
  expect((await write(KEY)).status).toBe(201);
});

test('no 405, and a route is missed even without a key', async () => {
  const double = await startTypesense();
  for (const [method, path] of [
    ['OPTIONS', '/collections'],
    ['HEAD', '/collections'],
    ['GET', '/'],
    ['PUT', '/collections'],
    ['POST', '/collections/c1/documents/1'],
  ] as const)
    expect((await ask(double.url, method, path)).status).toBe(404);
});

test('the lag of reads and that of writes are two things', async () => {
  const double = await startTypesense();
  const request = asker(double);
  double.condition.ready = { read: true, write: false };
  expect(await request('GET', '/health')).toMatchObject({ status: 200, body: '{"ok":true}' });
  expect((await request('POST', '/collections', SCHEMA)).status).toBe(503);
  expect((await request('POST', '/multi_search', { searches: [] })).status).toBe(200);
  double.condition.ready = { read: false, write: true };
  expect(await request('GET', '/health')).toMatchObject({ status: 503, body: '{"ok":false}' });
  expect((await request('POST', '/collections', SCHEMA)).status).toBe(201);
  expect((await request('GET', '/collections')).status).toBe(503);
});

test('full disk: deletes go on, /health says so with 200', async () => {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', SCHEMA);
  double.condition.outOf = 'OUT_OF_DISK';
  expect((await request('POST', '/collections/c1/documents', { title: 'a' })).status).toBe(422);
  expect((await request('GET', '/health')).body).toBe('{"ok":true,"resource_error":"OUT_OF_DISK"}');
  expect((await request('DELETE', '/collections/c1')).status).toBe(200);
});

test('the key: any case, or a parameter; /health needs none, /debug does', async () => {
  const double = await startTypesense();
  const status = async (path: string, headers = {}) =>
    (await ask(double.url, 'GET', path, { headers })).status;
  expect(await status('/debug')).toBe(401);
  expect(await status('/debug', { 'X-TYPESENSE-API-KEY': 'typesense-key' })).toBe(200);
  expect(await status('/debug', { 'X-TYPESENSE-API-KEY': 'another' })).toBe(401);
  expect(await status('/debug?x-typesense-api-key=typesense-key')).toBe(200);
  expect(await status('/health')).toBe(200);
});

test('headers: chunked, kept alive, no length, no date, no server', async () => {
  const double = await startTypesense();
  const { headers } = await asker(double)('GET', '/collections');
  expect(headers).toEqual({
    connection: 'keep-alive',
    'content-type': 'application/json; charset=utf-8',
    'transfer-encoding': 'chunked',
  });
});

test('three ways to write an error, two of them unescaped', async () => {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', SCHEMA);
  const broken = await request('GET', '/collections/c1/documents/a%22b');
  expect(broken).toMatchObject({
    status: 404,
    body: '{"message": "Could not find a document with id: a"b"}',
  });
  expect(() => JSON.parse(broken.body)).toThrow();
  await request('POST', '/collections', { ...SCHEMA, name: 'q"q' });
  const again = await request('POST', '/collections', { ...SCHEMA, name: 'q"q' });
  expect(again).toMatchObject({
    status: 409,
    body: '{"message": "A collection with name `q"q` already exists."}',
  });
  const written = await request('POST', '/collections/c1/documents?action=update', { id: 'a"b' });
  expect(written).toMatchObject({
    status: 404,
    body: '{"message":"Could not find a document with id: a\\"b"}',
  });
});

test('a body is JSON whatever its type says, and gzip by its first bytes', async () => {
  const double = await startTypesense();
  const headers = { ...KEY, 'content-type': 'image/png' };
  const body = gzipSync(JSON.stringify(SCHEMA));
  expect((await ask(double.url, 'POST', '/collections', { body, headers })).status).toBe(201);
});
