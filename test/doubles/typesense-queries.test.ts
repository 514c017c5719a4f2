import { describe, expect, test } from 'vitest';
import { startTypesense } from '../support/typesense/start.ts';
import { messageOf } from './ask.ts';
import { asker } from './typesense-asker.ts';

const SCHEMA = {
  name: 'c1',
  fields: [
    { name: 'scope', type: 'string' },
    { name: 'generation', type: 'int64' },
    { name: 'weight', type: 'float', optional: true },
    { name: 'is_latest', type: 'bool' },
    { name: 'tags', type: 'string[]', optional: true },
  ],
};

const DOCUMENTS = [
  { id: '1', scope: 'play', generation: 1, is_latest: true, weight: 0.5, tags: ['red', 'blue sky'] },
  { id: '2', scope: 'a-b', generation: 2, is_latest: false, tags: [] },
  { id: '3', scope: 'ab', generation: 3, is_latest: true },
  { id: '4', scope: 'two words', generation: 4, is_latest: false, text: 'not declared' },
];

async function filled() {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', SCHEMA);
  await request(
    'POST',
    '/collections/c1/documents/import',
    DOCUMENTS.map((document) => JSON.stringify(document)).join('\n'),
  );
  const search = (parameters: Record<string, string>) =>
    request('GET', `/collections/c1/documents/search?${new URLSearchParams(parameters)}`);
  return { double, request, search };
}

describe('filter_by', () => {
  test.each([
    ['scope:=play', '1'],
    ['scope: = play', '1'],
    ['scope:=`play`', '1'],
    ['scope:=two', ''],
    ['scope:two', '4'],
    ['scope:=`two words`', '4'],
    ['scope:!=play', '2 3 4'],
    ['scope:=[play,`two words`]', '1 4'],
    // Symbols and case do not count for a string: a scope's filter can meet another scope.
    ['scope:=ab', '2 3'],
    ['scope:=A.B', '2 3'],
    ['tags:=red', '1'],
    ['tags:=blue', ''],
    ['id:=2', '2'],
    ['id:=[1,3,9]', '1 3'],
    ['id:!=[1,3]', '2 4'],
    ['generation:<3', '1 2'],
    ['generation:<=3', '1 2 3'],
    ['generation:>3', '4'],
    ['generation:=2', '2'],
    ['generation:2', '2'],
    ['generation:!=2', '1 3 4'],
    ['generation:[1,3..4]', '1 3 4'],
    ['weight:<1.5', '1'],
    ['is_latest:true', '1 3'],
    ['scope:=play && generation:<3', '1'],
    ['scope:=play || generation:>3', '1 4'],
    ['generation:>3 || generation:<2 && is_latest:=false', '4'],
    ['(generation:>3 || generation:<2) && is_latest:=true', '1'],
  ])('%s', async (filter_by, ids) => {
    const { search } = await filled();
    const { hits } = JSON.parse((await search({ q: '*', filter_by })).body) as {
      hits: { document: { id: string } }[];
    };
    const found = hits.map(({ document }) => document.id).sort();
    expect(found.join(' ')).toBe(ids);
  });

  test.each([
    ['text:=a', 'Could not find a filter field named `text` in the schema.'],
    ['generation:<x', 'Error with filter field `generation`: Not an int64.'],
    ['is_latest:yes', 'Value of filter field `is_latest` must be `true` or `false`.'],
    ['scope', 'Could not parse the filter query.'],
    ['scope:=a &&', 'Could not parse the filter query.'],
    ['(scope:=a', 'Could not parse the filter query.'],
    ['scope:=[a', 'Could not parse the filter query.'],
  ])('%s: 400', async (filter_by, message) => {
    const { search } = await filled();
    const answer = await search({ q: '*', filter_by });
    expect([answer.status, messageOf(answer)]).toEqual([400, message]);
  });
});

test('search: found, pages, words, an unknown field', async () => {
  const { search } = await filled();
  const all = JSON.parse((await search({ q: '*', per_page: '3' })).body);
  expect([all.found, all.hits.length, all.out_of, all.page]).toEqual([4, 3, 4, 1]);
  const second = JSON.parse((await search({ q: '*', per_page: '3', page: '2' })).body);
  expect(second.hits).toHaveLength(1);
  const words = JSON.parse((await search({ q: 'wor', query_by: 'scope' })).body);
  expect(words.hits.map(({ document }: { document: { id: string } }) => document.id)).toEqual(['4']);
  const unknown = await search({ q: 'x', query_by: 'nope' });
  expect([unknown.status, messageOf(unknown)]).toEqual([
    404,
    'Could not find a field named `nope` in the schema.',
  ]);
});

test('multi_search answers for each search', async () => {
  const { request } = await filled();
  const searches = [
    { collection: 'c1', q: '*' },
    { collection: 'none', q: '*' },
  ];
  const { results } = JSON.parse((await request('POST', '/multi_search', { searches })).body);
  expect(results[0].found).toBe(4);
  expect(results[1]).toEqual({ code: 404, error: 'Collection not found' });
});

test('export: lines in order of first writing', async () => {
  const { request } = await filled();
  await request('POST', '/collections/c1/documents?action=upsert', { ...DOCUMENTS[0], scope: 'later' });
  const answer = await request('GET', '/collections/c1/documents/export');
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(answer.body.split('\n').map((text) => JSON.parse(text).id)).toEqual(['1', '2', '3', '4']);
});

test('debug, status, config', async () => {
  const { double, request } = await filled();
  expect((await request('GET', '/debug')).body).toBe('{"state":1,"version":"29.0"}');
  expect((await request('GET', '/status')).body).toBe(
    '{"committed_index":1,"queued_writes":0,"state":"LEADER"}',
  );
  expect(await request('POST', '/config', { any: 1 })).toMatchObject({
    status: 201,
    body: '{"success":true}',
  });
  expect(messageOf(await request('POST', '/config', { 'healthy-write-lag': 0 }))).toBe(
    'Configuration `healthy-write-lag` must be a positive integer.',
  );
  double.condition.leader = 'unknown';
  expect((await request('GET', '/debug')).body).toBe('{"state":4,"version":"29.0"}');
});

test('a restart: refused, then not ready, then there with its documents', async () => {
  const { double, request } = await filled();
  const { url } = double;
  await double.server.refuse();
  await expect(request('GET', '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await double.restart({ ready: false });
  expect(double.url).toBe(url);
  expect((await request('GET', '/health')).status).toBe(503);
  expect((await request('GET', '/collections/c1')).status).toBe(503);
  double.setReady(true);
  expect((await request('GET', '/health')).status).toBe(200);
  expect(double.documents('c1')).toHaveLength(4);
});
