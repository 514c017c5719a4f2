import { describe, expect, test } from 'vitest';
import { startTypesense } from '../support/typesense/start.ts';
import { messageOf } from './ask.ts';
import { asker, SCHEMA } from './typesense-asker.ts';

const fields = [{ name: 'a', type: 'string' }];

describe('POST /collections', () => {
  test.each([
    ['{', 'Bad JSON.'],
    [{ fields }, 'Parameter `name` is required.'],
    [{ name: '', fields }, 'Parameter `name` must be a non-empty string.'],
    [{ name: 'x' }, 'Parameter `fields` is required.'],
    [{ name: 'x', fields: [] }, 'The `fields` value should be an array of objects'],
    [{ name: 'x', fields: ['a'] }, 'Wrong format for `fields`.'],
    [
      { name: 'x', fields: [{ name: 'a', type: 'strin' }] },
      'Field `a` has an invalid data type `strin`, see docs for supported data types.',
    ],
    [
      { name: 'x', fields, default_sorting_field: 'zz' },
      'Default sorting field is defined as `zz` but is not found in the schema.',
    ],
    [{ name: 'x', fields, default_sorting_field: 'a' }, 'Default sorting field `a` is not a sortable type.'],
    [{ name: 'x', fields: [{ name: 'o', type: 'object' }] }, 'Type `object` or `object[]` can be used only'],
  ])('%j: 400', async (body, message) => {
    const answer = await asker(await startTypesense())('POST', '/collections', body);
    expect(answer.status).toBe(400);
    expect(messageOf(answer)).toContain(message);
  });

  test('201 with a summary, every default in it', async () => {
    const double = await startTypesense();
    double.store.now = () => 1_700_000_000;
    const body = {
      name: 'c',
      fields: [...fields, { name: 'n', type: 'int32' }, { name: '.*', type: 'auto' }],
      default_sorting_field: 'n',
    };
    const answer = await asker(double)('POST', '/collections', body);
    expect(answer.status).toBe(201);
    const field = { facet: false, index: true, infix: false, locale: '', stem: false, stem_dictionary: '' };
    expect(JSON.parse(answer.body)).toEqual({
      created_at: 1_700_000_000,
      default_sorting_field: 'n',
      enable_nested_fields: false,
      fields: [
        { ...field, name: 'a', optional: false, sort: false, store: true, type: 'string' },
        { ...field, name: 'n', optional: false, sort: true, store: true, type: 'int32' },
        { ...field, name: '.*', optional: true, sort: false, store: true, type: 'auto' },
      ],
      name: 'c',
      num_documents: 0,
      symbols_to_index: [],
      token_separators: [],
    });
  });

  test('four at once: one 201, three 409', async () => {
    const request = asker(await startTypesense());
    const answers = await Promise.all([1, 2, 3, 4].map(() => request('POST', '/collections', SCHEMA)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    const late = answers.find(({ status }) => status === 409)!;
    expect(messageOf(late)).toBe('A collection with name `c1` already exists.');
  });
});

test('get, list, patch, drop', async () => {
  const request = asker(await startTypesense());
  await request('POST', '/collections', SCHEMA);
  await request('POST', '/collections', { ...SCHEMA, name: 'a0' });
  await request('POST', '/collections/c1/documents', { title: 'x' });
  expect(JSON.parse((await request('GET', '/collections/c1')).body).num_documents).toBe(1);
  const names = async (query: string) =>
    JSON.parse((await request('GET', `/collections${query}`)).body) as { name: string; fields?: unknown }[];
  expect((await names('')).map(({ name }) => name)).toEqual(['a0', 'c1']);
  expect((await names('?limit=1&offset=1')).length).toBe(1);
  expect((await names('?exclude_fields=fields')).every(({ fields }) => fields === undefined)).toBe(true);
  expect(messageOf(await request('GET', '/collections?limit=x'))).toBe(
    'Limit param should be unsigned integer.',
  );

  expect(messageOf(await request('PATCH', '/collections/c1', { name: 'c2' }))).toBe(
    'Only `fields` and `metadata` can be updated at the moment.',
  );
  const patched = await request('PATCH', '/collections/c1', { fields: [{ name: 'new', type: 'int32' }] });
  expect(JSON.parse(patched.body).fields).toMatchObject([{ name: 'new', sort: true }]);
  expect(JSON.parse((await request('GET', '/collections/c1')).body).fields).toHaveLength(8);

  const dropped = await request('DELETE', '/collections/c1');
  expect([dropped.status, JSON.parse(dropped.body).num_documents]).toEqual([200, 1]);
  const gone = await request('DELETE', '/collections/c1');
  expect([gone.status, messageOf(gone)]).toEqual([404, 'No collection with name `c1` found.']);
  for (const method of ['GET', 'PATCH'])
    expect(messageOf(await request(method, '/collections/c1', { fields }))).toBe('Collection not found');
});

describe('aliases', () => {
  test('to nothing is fine, named as a collection is 500, missing says Collection not found', async () => {
    const request = asker(await startTypesense());
    await request('POST', '/collections', SCHEMA);
    expect(await request('PUT', '/aliases/al', { collection_name: 'none' })).toMatchObject({
      status: 200,
      body: '{"collection_name":"none","name":"al"}',
    });
    expect((await request('GET', '/collections/al')).status).toBe(404);
    const clash = await request('PUT', '/aliases/c1', { collection_name: 'c1' });
    expect([clash.status, messageOf(clash)]).toEqual([
      500,
      'Name `c1` conflicts with an existing collection name.',
    ]);
    expect(messageOf(await request('PUT', '/aliases/x', {}))).toBe(
      'Parameter `collection_name` is required.',
    );
    expect(messageOf(await request('PUT', '/aliases/x', '{'))).toBe('Bad JSON.');
    const missing = await request('DELETE', '/aliases/none');
    expect([missing.status, messageOf(missing)]).toEqual([404, 'Collection not found']);
    expect((await request('GET', '/aliases')).body).toBe(
      '{"aliases":[{"collection_name":"none","name":"al"}]}',
    );
    expect((await request('POST', '/collections', { ...SCHEMA, name: 'al' })).status).toBe(201);
    expect((await request('DELETE', '/aliases/al')).status).toBe(200);
  });

  test('stands for its collection, in a drop too', async () => {
    const double = await startTypesense();
    const request = asker(double);
    await request('POST', '/collections', SCHEMA);
    await request('PUT', '/aliases/al', { collection_name: 'c1' });
    await request('POST', '/collections/al/documents', { id: '1', title: 'x' });
    expect(double.documents('c1')).toHaveLength(1);
    expect(JSON.parse((await request('GET', '/collections/al')).body).name).toBe('c1');
    expect((await request('DELETE', '/collections/al')).status).toBe(200);
    expect(double.store.has('c1')).toBe(false);
    expect((await request('GET', '/aliases/al')).status).toBe(200);
    expect(messageOf(await request('GET', '/collections/al'))).toBe('Collection not found');
  });
});
