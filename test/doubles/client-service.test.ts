import { describe, expect, test } from 'vitest';
import { answers } from '../support/typesense/faults.ts';
import { Store } from '../support/typesense/store.ts';
import type { ClientServiceOptions } from '../support/typesense-client/client-service-double.ts';
import { startClientService } from '../support/typesense-client/start.ts';
import { ask, failureOf } from './ask.ts';
import { SCHEMA } from './typesense-asker.ts';

const one = { id: '1', title: 'one' };

async function ready(options: ClientServiceOptions = {}) {
  const double = await startClientService(options);
  const post = (path: string, body: unknown, key = 'client-key') =>
    ask(double.url, 'POST', path, {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    });
  const sync = (operation: string, document: object, collection_name = 'c1') =>
    post('/documents/sync', { operation, collection_name, document });
  expect((await post('/collections', SCHEMA)).status).toBe(200);
  return { double, post, sync };
}

const detailOf = ({ body }: { body: string }) => (JSON.parse(body) as { detail: unknown }).detail;

test('create, update, delete; a JSON body each', async () => {
  const { double, sync } = await ready();
  const created = await sync('create', one);
  expect([created.status, created.body]).toEqual([200, '{"message":"Document upserted successfully."}']);
  expect(created.headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(created.body.length),
    server: 'uvicorn',
  });
  expect((await sync('UPDATE', { ...one, extra: { a: 1 } })).status).toBe(200);
  expect(double.documents('c1')).toEqual([{ ...one, extra: { a: 1 } }]);
  expect((await sync('delete', { id: '1' })).body).toBe('{"message":"Document deleted successfully."}');
  expect(double.documents('c1')).toEqual([]);
});

test('a delete of what is not there: 500, the id in its detail', async () => {
  const { sync } = await ready();
  const answer = await sync('delete', { id: 'x_1' });
  expect(answer.status).toBe(500);
  expect(detailOf(answer)).toBe('[Errno 404] Could not find a document with id: x_1');
});

test.each([
  ['create', { id: '2' }, 'c1', '[Errno 400] Field `title` has been declared in the schema'],
  ['create', { title: 'a' }, 'c1', "400: Missing 'id' in document for upsert."],
  ['delete', { title: 'a' }, 'c1', "400: Missing 'id' in document for deletion."],
  ['replace', one, 'c1', '400: Invalid operation type.'],
  ['create', one, 'none', '[Errno 404] Collection not found'],
  ['delete', one, 'none', '[Errno 404] Collection not found'],
  ['create', { id: '2', title: '\ud800' }, 'c1', '[Errno 400] Bad JSON'],
])('%s %j in %s: 500', async (operation, document, collection, detail) => {
  const { sync } = await ready();
  const answer = await sync(operation, document, collection);
  expect(answer.status).toBe(500);
  expect(detailOf(answer)).toContain(detail);
});

test('one document is refused for good', async () => {
  const { double, sync } = await ready();
  double.store.refuse('1', 400, 'not this one');
  expect(detailOf(await sync('update', one))).toBe('[Errno 400] not this one');
  expect((await sync('update', { id: '2', title: 'x' })).status).toBe(200);
});

describe('rules', () => {
  test('a stricter service: create fails where update must be', async () => {
    const { sync } = await ready({ rules: { create: 'fail', update: 'fail' } });
    expect(detailOf(await sync('update', one))).toBe('[Errno 404] Could not find a document with id: 1');
    expect((await sync('create', one)).status).toBe(200);
    expect(detailOf(await sync('create', one))).toBe('[Errno 409] A document with id 1 already exists.');
    expect((await sync('update', one)).status).toBe(200);
  });

  test('a collection that is there', async () => {
    const { double, post, sync } = await ready();
    await sync('create', one);
    const again = await post('/collections', SCHEMA);
    expect([again.status, JSON.parse(again.body).num_documents]).toEqual([200, 1]);
    double.rules.existingCollection = 'fail';
    expect(detailOf(await post('/collections', SCHEMA))).toBe(
      '[Errno 409] A collection with name `c1` already exists.',
    );
  });

  test('properties of a field that its model does not know are lost', async () => {
    const { double, post } = await ready();
    await post('/collections', {
      name: 'c2',
      fields: [{ name: 'a', type: 'string', sort: true, index: false }],
    });
    expect(double.store.get('c2').schema.fields[0]).toMatchObject({ sort: false, index: false });
  });
});

describe('before the handler', () => {
  test('401 or 403 for the key; a rotated key is wrong at once', async () => {
    const { double, post } = await ready();
    const sync = { operation: 'create', collection_name: 'c1', document: one };
    expect((await ask(double.url, 'POST', '/documents/sync', { body: '{}' })).status).toBe(401);
    double.rotateKey('new');
    expect(await post('/documents/sync', sync)).toMatchObject({
      status: 401,
      body: '{"detail":"Invalid API key"}',
    });
    double.refusal = 403;
    expect((await post('/documents/sync', sync)).status).toBe(403);
    expect((await post('/documents/sync', sync, 'new')).status).toBe(200);
  });

  test.each([
    ['{', 'json_invalid', ['body', 0]],
    ['[]', 'model_attributes_type', ['body']],
    [{ collection_name: 'c1', document: {} }, 'missing', ['body', 'operation']],
    [{ operation: 1, collection_name: 'c1', document: {} }, 'string_type', ['body', 'operation']],
    [{ operation: 'create', collection_name: 'c1', document: [] }, 'dict_type', ['body', 'document']],
  ])('%j: 422', async (body, type, loc) => {
    const { post } = await ready();
    const answer = await post('/documents/sync', body);
    expect(answer.status).toBe(422);
    expect(detailOf(answer)).toMatchObject([{ type, loc }]);
  });

  test('404 and 405, with a detail', async () => {
    const { double, post } = await ready();
    expect(await post('/nowhere', {})).toMatchObject({ status: 404, body: '{"detail":"Not Found"}' });
    const wrong = await ask(double.url, 'GET', '/documents/sync');
    expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'POST']);
    expect((await ask(double.url, 'GET', '/health')).body).toBe('{"status":"healthy"}');
  });
});

test('it stands before an index that others see too, and can be searched', async () => {
  const store = new Store();
  const { post, sync } = await ready({ store });
  await sync('create', one);
  expect(store.documents('c1')).toEqual([one]);
  const found = await post('/search', { collection_name: 'c1', parameters: { q: 'one', query_by: 'title' } });
  expect(JSON.parse(found.body)).toEqual({ hits: [{ document: one }], found: 1 });
});

test('the same faults as Typesense; a restart keeps the documents', async () => {
  const { double, sync } = await ready();
  double.faults.next([
    answers.detail(500, 'database is locked'),
    { kind: 'reset', apply: 'now' },
    { kind: 'truncate' },
  ]);
  expect(detailOf(await sync('create', one))).toBe('database is locked');
  expect(double.documents('c1')).toEqual([]);
  expect(await failureOf(sync('create', one))).toBe('ECONNRESET');
  expect(double.documents('c1')).toEqual([one]);
  expect(await failureOf(sync('create', one))).toBe('ECONNRESET');
  await double.restart();
  expect(double.documents('c1')).toEqual([one]);
  expect(double.log.to('sync').map(({ documents, fault }) => [documents, fault])).toEqual([
    [1, 'answer'],
    [1, 'reset'],
    [1, 'truncate'],
  ]);
  double.drop('c1');
  expect(detailOf(await sync('create', one))).toBe('[Errno 404] Collection not found');
});
