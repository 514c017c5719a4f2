import { describe, expect, test } from 'vitest';
import { answers, type Fault } from '../support/typesense/faults.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { clientOf, clientOfNodes, createCollection, rejection } from './official-client.ts';

const one = { id: '1', title: 'one' };

async function ready() {
  const double = await startTypesense();
  const client = clientOf(double);
  await createCollection(client);
  double.log.forget();
  return { double, client, documents: client.collections('c1').documents() };
}

describe('the double answers by itself', () => {
  test('400, 401, 404, 409, 422: not retried, an error class each', async () => {
    const { double, client, documents } = await ready();
    await documents.create(one);
    double.log.forget();
    expect(await rejection(documents.create({ id: '2' }))).toMatchObject({
      name: 'RequestMalformed',
      httpStatus: 400,
      httpBody: { id: '2' },
      message:
        'Request failed with HTTP code 400 | Server said: Field `title` has been declared in the schema, but is not found in the document.',
    });
    const stranger = clientOf(double, { apiKey: 'wrong' });
    expect(await rejection(stranger.collections().retrieve())).toMatchObject({
      name: 'RequestUnauthorized',
    });
    expect(await rejection(client.collections('none').retrieve())).toMatchObject({ name: 'ObjectNotFound' });
    expect(await rejection(documents.create(one))).toMatchObject({ name: 'ObjectAlreadyExists' });
    double.condition.skipWrites = true;
    expect(await rejection(documents.upsert(one))).toMatchObject({ name: 'ObjectUnprocessable' });
    expect(double.log.total - 2).toBe(double.log.requests.length);
    expect(double.log.requests).toHaveLength(5);
  });

  test('429 is not retried, 503 is', async () => {
    const { double, documents } = await ready();
    double.condition.rateLimited = true;
    expect(await rejection(documents.upsert(one))).toMatchObject({ name: 'HTTPError', httpStatus: 429 });
    expect(double.log.requests).toHaveLength(1);
    double.condition.rateLimited = false;
    double.setReady(false);
    expect(await rejection(documents.upsert(one))).toMatchObject({ name: 'ServerError', httpStatus: 503 });
    expect(double.log.requests).toHaveLength(3);
  });

  test('an error that is no JSON is retried, and ends as a SyntaxError', async () => {
    const { double, client } = await ready();
    const document = client.collections('c1').documents('a"b');
    expect(await rejection(document.delete())).toMatchObject({ name: 'SyntaxError' });
    expect(double.log.to('documents.delete')).toHaveLength(2);
    expect(await document.delete({ ignore_not_found: true })).toEqual({ id: 'a"b' });
  });

  test('exists, and the collection-level delete that an empty id becomes', async () => {
    const { client } = await ready();
    expect(await client.collections('c1').exists()).toBe(true);
    expect(await client.collections('none').exists()).toBe(false);
    expect(await rejection(client.collections('c1').documents('').delete())).toMatchObject({
      name: 'RequestMalformed',
    });
  });

  test('create, update, emplace, get, delete, by filter, export, search', async () => {
    const { client, documents } = await ready();
    await documents.create({ ...one, points: 1 });
    await documents.update({ id: '1', points: 2 }, {});
    await documents.emplace({ id: '2', title: 'two', points: 9 }, {});
    expect(await client.collections('c1').documents('1').update({ points: 3 })).toMatchObject({ points: 3 });
    expect(await documents.update({ title: 'many' }, { filter_by: 'points:>0' })).toEqual({ num_updated: 2 });
    expect(await client.collections('c1').documents('2').retrieve()).toMatchObject({ title: 'many' });
    const { found } = await documents.search({ q: '*', query_by: 'title', filter_by: 'points:>3' });
    expect(found).toBe(1);
    expect(await documents.delete({ filter_by: 'points:<5' })).toEqual({ num_deleted: 1 });
    expect(JSON.parse(await documents.export())).toEqual({ id: '2', title: 'many', points: 9 });
  });
});

describe('the double is told to fail', () => {
  test.each<[string, Fault | Fault[], object, number]>([
    ['403', answers.error(403, 'no'), { name: 'HTTPError', httpStatus: 403 }, 1],
    ['413', answers.error(413, 'too large'), { name: 'HTTPError', httpStatus: 413 }, 1],
    ['429', answers.tooMany('3'), { name: 'HTTPError', httpStatus: 429 }, 1],
    ['422', answers.diskFull(), { name: 'ObjectUnprocessable' }, 1],
    ['500, empty', [answers.empty(), answers.empty()], { name: 'ServerError', httpStatus: 500 }, 2],
    ['503', [answers.notReady(), answers.notReady()], { name: 'ServerError', httpStatus: 503 }, 2],
    ['hang', [{ kind: 'hang' }, { kind: 'hang' }], { name: 'AxiosError', code: 'ECONNABORTED' }, 2],
    ['reset', [{ kind: 'reset' }, { kind: 'reset' }], { name: 'AxiosError', code: 'ECONNRESET' }, 2],
    [
      'truncated',
      [{ kind: 'truncate' }, { kind: 'truncate' }],
      { name: 'AxiosError', code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
      2,
    ],
  ])('%s', async (_, faults, expected, attempts) => {
    const { double, documents } = await ready();
    double.faults.next(faults);
    const rejected = await rejection(documents.upsert(one));
    expect(rejected).toMatchObject(expected);
    expect(double.log.requests).toHaveLength(attempts);
    expect(await documents.upsert(one)).toEqual(one);
  });

  test('a closed port', async () => {
    const { double, documents } = await ready();
    await double.server.refuse();
    expect(await rejection(documents.upsert(one))).toMatchObject({
      name: 'AxiosError',
      code: 'ECONNREFUSED',
      httpStatus: undefined,
    });
    await double.server.open();
    expect(await documents.upsert(one)).toEqual(one);
  });

  test('HTML with 200 is a success to the client', async () => {
    const { double, documents } = await ready();
    double.faults.next(answers.html());
    expect(await documents.upsert(one)).toContain('It works!');
    expect(double.documents('c1')).toEqual([]);
  });

  test('a redirect is followed, the key with it', async () => {
    const { double, documents } = await ready();
    const other = await startTypesense();
    await createCollection(clientOf(other));
    double.faults.next({
      kind: 'answer',
      status: 307,
      headers: { location: `${other.url}/collections/c1/documents?action=upsert` },
    });
    expect(await documents.upsert(one)).toEqual(one);
    expect(other.documents('c1')).toEqual([one]);
  });

  test('numRetries: 0 is one attempt', async () => {
    const { double } = await ready();
    double.faults.next(answers.notReady());
    const client = clientOf(double, { numRetries: 0 });
    expect(await rejection(client.collections().retrieve())).toMatchObject({ name: 'ServerError' });
    expect(double.log.requests).toHaveLength(1);
  });

  test('an unhealthy node is skipped for a while', async () => {
    const bad = await startTypesense();
    const good = await startTypesense();
    const outage = bad.faults.always(answers.notReady());
    const client = clientOfNodes([bad.url, good.url], { randomizeNodes: false });
    for (let n = 0; n < 4; n++) expect(await client.collections().retrieve()).toEqual([]);
    expect([outage.hits, good.log.total]).toEqual([1, 4]);
  });
});
