import { expect, test } from 'vitest';
import { startTypesense } from '../support/typesense/start.ts';
import { messageOf } from './ask.ts';
import { asker, SCHEMA } from './typesense-asker.ts';

async function importer(documents: object[] = []) {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', SCHEMA);
  for (const document of documents) await request('POST', '/collections/c1/documents', document);
  const post = (body: string, query = '') =>
    request('POST', `/collections/c1/documents/import${query}`, body);
  return { double, request, post };
}

const one = { id: '1', title: 'one' };
const line = (document: object) => JSON.stringify(document);

test.each([
  ['?batch_size=0', 'Parameter `batch_size` must be a positive integer.'],
  ['?batch_size=abc', 'Parameter `batch_size` must be a positive integer.'],
  ['?batch_size=-1', 'Parameter `batch_size` must be a positive integer.'],
  ['?action=replace', 'Parameter `action` must be a create|update|upsert.'],
  ['?return_id=1', 'Parameter `return_id` must be a true|false.'],
  ['?return_doc=1', 'Parameter `return_doc` must be a true|false.'],
])('%s: 400', async (query, message) => {
  const { post } = await importer();
  const answer = await post(line(one), query);
  expect([answer.status, messageOf(answer)]).toEqual([400, message]);
});

test('a missing collection is an answer about the whole request', async () => {
  const answer = await asker(await startTypesense())('POST', '/collections/none/documents/import', line(one));
  expect([answer.status, messageOf(answer)]).toEqual([404, 'Collection not found']);
});

test('200 and a line for each, in order, even when all fail; no newline at the end', async () => {
  const { post } = await importer([one]);
  const answer = await post([line(one), line({ id: '2' }), 'x', '[1]', line({ id: 3 })].join('\n'));
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  const lines = answer.body.split('\n');
  expect(lines[0]).toBe('{"code":409,"error":"A document with id 1 already exists.","success":false}');
  expect(lines.map((text) => Object.keys(JSON.parse(text)))).toEqual(
    lines.map(() => ['code', 'error', 'success']),
  );
  expect(lines.map((text) => JSON.parse(text).code)).toEqual([409, 400, 400, 400, 400]);
});

test('return_id and return_doc', async () => {
  const { post } = await importer([one]);
  const both = '?return_id=true&return_doc=true';
  expect((await post(line({ id: '50', title: 'a' }), '?return_id=true')).body).toBe(
    '{"id":"50","success":true}',
  );
  expect((await post(line({ id: '80', title: 'a' }), both)).body).toBe(
    '{"document":{"id":"80","title":"a"},"id":"80","success":true}',
  );
  expect(JSON.parse((await post(line(one), both)).body)).toEqual({
    code: 409,
    document: line(one),
    error: 'A document with id 1 already exists.',
    id: '1',
    success: false,
  });
});

test('the id of a line that is no JSON is the id of the line before', async () => {
  const { post } = await importer();
  const answer = await post(`${line(one)}\nx`, '?return_id=true');
  expect(answer.body.split('\n').map((text) => JSON.parse(text).id)).toEqual(['1', '1']);
});

test('empty lines get no result, blank ones do; CRLF and leading blanks are fine', async () => {
  const { post } = await importer();
  const body = `${line(one)}\r\n\n  ${line({ id: '2', title: 'b' })}\r\n \r\n\n`;
  const answer = await post(body);
  expect(answer.body.split('\n').map((text) => JSON.parse(text).success)).toEqual([true, true, false]);
});

test('an empty body is answered with one; an array is one bad line', async () => {
  const { post } = await importer();
  expect(await post('')).toMatchObject({ status: 200, body: '' });
  const array = await post(line([one]));
  expect(JSON.parse(array.body)).toMatchObject({
    code: 400,
    error: 'Bad JSON: not a properly formed document.',
  });
});

test('one id twice: the last wins; with create the second fails', async () => {
  const { double, post } = await importer();
  const twice = [line(one), line({ id: '1', title: 'again' })].join('\n');
  expect((await post(twice, '?action=upsert')).body).toBe('{"success":true}\n{"success":true}');
  expect(double.documents('c1')).toEqual([{ id: '1', title: 'again' }]);
  double.store.clear();
  await asker(double)('POST', '/collections', SCHEMA);
  const codes = (await post(twice)).body.split('\n').map((text) => JSON.parse(text).code);
  expect(codes).toEqual([undefined, 409]);
});

test('a lone surrogate, as JSON.stringify writes it, fails its line alone', async () => {
  const { double, post } = await importer();
  const body = [line({ id: '1', title: '\ud800' }), line({ id: '2', title: 'ok' })].join('\n');
  const [bad, good] = (await post(body)).body.split('\n').map((text) => JSON.parse(text));
  expect(bad).toMatchObject({ code: 400, success: false });
  expect(bad.error).toContain('surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF');
  expect(good).toEqual({ success: true });
  expect(double.documents('c1').map(({ id }) => id)).toEqual(['2']);
});

test('unknown parameters are ignored, lines that fail do not stop the others', async () => {
  const { double, post } = await importer();
  const documents = Array.from({ length: 10_000 }, (_, n) => ({ id: `${n}`, title: `t${n}` }));
  double.store.refuse('5000', 400, 'refused');
  const answer = await post(documents.map(line).join('\n'), '?action=upsert&throwOnFail=true&batch_size=7');
  const lines = answer.body.split('\n');
  expect(lines).toHaveLength(10_000);
  expect(lines.filter((text) => text !== '{"success":true}')).toEqual([
    '{"code":400,"error":"refused","success":false}',
  ]);
  expect(double.documents('c1')).toHaveLength(9_999);
  expect(double.log.documentsReceived).toBe(10_000);
});
