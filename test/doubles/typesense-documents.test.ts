import { describe, expect, test } from 'vitest';
import { startTypesense } from '../support/typesense/start.ts';
import { messageOf } from './ask.ts';
import { asker, SCHEMA } from './typesense-asker.ts';

async function withCollection(documents: object[] = [], schema: object = SCHEMA) {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', schema);
  for (const document of documents) await request('POST', '/collections/c1/documents', document);
  const write = (body: unknown, query = '') => request('POST', `/collections/c1/documents${query}`, body);
  return { double, request, write };
}

const existing = { id: '1', title: 'one', points: 1, extra: 'x' };

describe('action', () => {
  test.each([
    ['create', { id: '2', title: 'two' }, 201, '{"id":"2","title":"two"}'],
    ['create', { id: '1', title: 'two' }, 409, 'A document with id 1 already exists.'],
    ['upsert', { id: '2', title: 'two' }, 201, '{"id":"2","title":"two"}'],
    ['upsert', { id: '1', title: 'two' }, 201, '{"id":"1","title":"two"}'],
    ['update', { id: '404' }, 404, 'Could not find a document with id: 404'],
    ['update', { id: '1', points: 2 }, 201, '{"extra":"x","id":"1","points":2,"title":"one"}'],
    ['update', { points: 2 }, 400, 'For update, the `id` key must be provided.'],
    ['update', { id: '1', points: null, extra: null }, 201, '{"id":"1","title":"one"}'],
    ['emplace', { id: '2', title: 'two' }, 201, '{"id":"2","title":"two"}'],
    ['emplace', { id: '2' }, 400, 'Field `title` has been declared in the schema, but is not found'],
    ['emplace', { id: '1', points: 2 }, 201, '{"extra":"x","id":"1","points":2,"title":"one"}'],
    ['other', { id: '1' }, 400, 'Parameter `action` must be a create|update|upsert.'],
  ])('%s %j: %d', async (action, body, status, said) => {
    const { write } = await withCollection([existing]);
    const answer = await write(body, `?action=${action}`);
    expect(answer.status).toBe(status);
    expect(status === 201 ? answer.body : messageOf(answer)).toContain(said);
  });

  test('a generated id may be one that is there', async () => {
    const { double, request, write } = await withCollection([{ id: '1', title: 'given' }]);
    expect((await write({ title: 'generated' })).body).toBe('{"id":"1","title":"generated"}');
    expect(double.documents('c1').map(({ title }) => title)).toEqual(['given', 'generated']);
    expect((await request('DELETE', '/collections/c1/documents/1')).body).toContain('generated');
    expect((await request('GET', '/collections/c1/documents/1')).status).toBe(404);
    const found = await request('GET', '/collections/c1/documents/search?q=*');
    expect(JSON.parse(found.body).found).toBe(1);
  });
});

describe('bad input', () => {
  const notFound = (field: string, as = 'in the schema') =>
    `Field \`${field}\` has been declared ${as}, but is not found in the document.`;
  test.each([
    ['x', 'Bad JSON: [json.exception.parse_error.101] parse error at line 1, column 1'],
    ['{"title":"\\ud800"}', 'surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF'],
    ['{"title":"\\ud800\\u0041"}', 'surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF'],
    ['{"title":"\\udc00"}', 'surrogate'],
    ['{"title":"a","weight":1e400}', '[json.exception.out_of_range.406]'],
    ['[1]', 'Bad JSON: not a properly formed document.'],
    ['{"id":1,"title":"a"}', "Document's `id` field should be a string."],
    ['{"id":null,"title":"a"}', "Document's `id` field should be a string."],
    ['{"id":"","title":"a"}', 'The `id` should not be empty.'],
    ['{"id":"2"}', notFound('title')],
    ['{"title":1}', 'Field `title` must be a string.'],
    ['{"title":null}', 'Field `title` must be a string.'],
    ['{"title":"a","points":"1"}', 'Field `points` must be an int32.'],
    ['{"title":"a","points":1.0}', 'Field `points` must be an int32.'],
    ['{"title":"a","points":1.5}', 'Field `points` must be an int32.'],
    ['{"title":"a","big":"1"}', 'Field `big` must be an int64.'],
    ['{"title":"a","big":18446744073709551616}', 'Field `big` must be an int64.'],
    ['{"title":"a","weight":"1"}', 'Field `weight` must be a float.'],
    ['{"title":"a","good":1}', 'Field `good` must be a bool.'],
    ['{"title":"a","tags":"t"}', 'Field `tags` must be an array.'],
    ['{"title":"a","tags":[null]}', 'Field `tags` must be an array of string.'],
    ['{"title":"a","place":[1]}', 'Field `place` must be a 2 element array: [lat, lng].'],
  ])('%s: 400', async (body, message) => {
    const { double, write } = await withCollection();
    const answer = await write(body);
    expect(answer.status).toBe(400);
    expect(messageOf(answer)).toContain(message);
    expect(double.documents('c1')).toEqual([]);
  });

  test('the default sorting field is asked for by name', async () => {
    const schema = {
      name: 'c1',
      fields: [{ name: 'n', type: 'int32' }],
      default_sorting_field: 'n',
    };
    const { write } = await withCollection([], schema);
    expect(messageOf(await write({}))).toBe(notFound('n', 'as a default sorting field'));
  });

  test('a missing collection', async () => {
    const request = asker(await startTypesense());
    const answer = await request('POST', '/collections/none/documents', { title: 'a' });
    expect([answer.status, messageOf(answer)]).toEqual([404, 'Collection not found']);
  });
});

describe('accepted', () => {
  test.each([
    ['{"title":"a","points":99999999999}', '"points":99999999999'],
    ['{"title":"a","big":9007199254740993}', '"big":9007199254740993'],
    ['{"title":"a","weight":2}', '"weight":2'],
    ['{"title":"a","tags":[]}', '"tags":[]'],
    ['{"title":"a","title":"b"}', '"title":"b"'],
    ['{"title":"a\\u0000b"}', '"title":"a\\u0000b"'],
    ['{"title":"\\ud83d\\ude00"}', '"title":"😀"'],
    ['{"title":"\\\\ud800"}', '"title":"\\\\ud800"'],
    ['\uFEFF{"title":"a"}', '"title":"a"'],
    ['{"title":"a","content":{"b":[1.5,{"c":null}],"a":"x"}}', '"content":{"a":"x","b":[1.5,{"c":null}]}'],
  ])('%s', async (body, kept) => {
    const { write } = await withCollection();
    const answer = await write(body);
    expect(answer.status).toBe(201);
    expect(answer.body).toContain(kept);
  });

  test('undeclared fields have no type: two documents may disagree', async () => {
    const { double, write } = await withCollection();
    await write({ id: '1', title: 'a', content: { scene: 1 } });
    await write({ id: '2', title: 'b', content: 'text' });
    expect(double.documents('c1').map(({ content }) => content)).toEqual([{ scene: 1 }, 'text']);
  });

  test('dirty_values asks for coercion', async () => {
    const { write } = await withCollection();
    const coerced = await write({ title: 7, points: '12' }, '?dirty_values=coerce_or_reject');
    expect(JSON.parse(coerced.body)).toMatchObject({ title: '7', points: 12 });
    expect((await write({ title: 'a', points: 'x' }, '?dirty_values=coerce_or_reject')).status).toBe(400);
    const dropped = await write({ id: 'd', title: 'a', points: 'x' }, '?dirty_values=coerce_or_drop');
    expect(dropped.body).toBe('{"id":"d","title":"a"}');
    expect((await write({ title: 7 }, '?dirty_values=nonsense')).status).toBe(400);
  });
});

describe('by id', () => {
  test('get, patch 200, delete 200 with the document', async () => {
    const { request } = await withCollection([existing]);
    const path = '/collections/c1/documents/1';
    const stored = '{"extra":"x","id":"1","points":1,"title":"one"}';
    expect(await request('GET', path)).toMatchObject({ status: 200, body: stored });
    expect(await request('PATCH', path, { points: 5 })).toMatchObject({
      status: 200,
      body: stored.replace('"points":1', '"points":5'),
    });
    expect(messageOf(await request('PATCH', path, { id: '2' }))).toBe(
      'The `id` of the resource does not match the `id` in the JSON body.',
    );
    expect((await request('DELETE', path)).body).toContain('"points":5');
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await request(method, path, { points: 1 });
      expect([answer.status, messageOf(answer)]).toEqual([404, 'Could not find a document with id: 1']);
    }
    expect(await request('DELETE', `${path}?ignore_not_found=true`)).toMatchObject({
      status: 200,
      body: '{"id":"1"}',
    });
    expect((await request('DELETE', '/collections/x/documents/1?ignore_not_found=true')).status).toBe(404);
  });

  test.each(['a/b', 'a?b', 'a%b', 'a b', 'é'])('%s, encoded', async (id) => {
    const { request } = await withCollection([{ id, title: 'x' }]);
    const answer = await request('GET', `/collections/c1/documents/${encodeURIComponent(id)}`);
    expect(JSON.parse(answer.body)).toEqual({ id, title: 'x' });
  });
});

test('delete and patch by filter', async () => {
  const documents = [1, 2, 3, 4].map((points) => ({ id: `d${points}`, title: 't', points }));
  const { double, request } = await withCollection(documents);
  const path = '/collections/c1/documents';
  expect(messageOf(await request('DELETE', path))).toBe('Parameter `filter_by` must be provided.');
  const unknown = await request('DELETE', `${path}?filter_by=zzz:1`);
  expect([unknown.status, messageOf(unknown)]).toEqual([
    400,
    'Could not find a filter field named `zzz` in the schema.',
  ]);
  expect((await request('PATCH', `${path}?filter_by=points:%3C3`, { title: 'u' })).body).toBe(
    '{"num_updated":2}',
  );
  const deleted = await request('DELETE', `${path}?filter_by=points:%3E=3&return_id=true`);
  expect(deleted.body).toBe('{"ids":["d3","d4"],"num_deleted":2}');
  expect(deleted.headers['content-type']).toBe('application/json');
  expect(double.documents('c1').map(({ title }) => title)).toEqual(['u', 'u']);
  expect((await request('DELETE', `${path}?truncate=true`)).body).toBe('{"num_deleted":2}');
  expect((await request('DELETE', '/collections/none/documents?filter_by=a:1')).status).toBe(404);
});
