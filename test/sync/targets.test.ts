import { Agent } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OutageError, retryAfterMs } from '../../src/sync/target.ts';
import { ApiKey } from '../../src/sync/targets/api-key.ts';
import { TypesenseTarget } from '../../src/sync/targets/typesense.ts';
import { TypesenseClientTarget } from '../../src/sync/targets/typesense-client.ts';
import { startKeyService } from '../support/key-service/start.ts';
import { answers } from '../support/typesense/faults.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { startClientService } from '../support/typesense-client/start.ts';
import { COLLECTION } from './harness.ts';

const signal = () => AbortSignal.timeout(2_000);
const del = (id: string) => ({ kind: 'delete', id }) as const;

async function typesense() {
  const double = await startTypesense();
  const target = new TypesenseTarget({ url: double.url, apiKey: double.apiKey, collection: COLLECTION });
  onTestFinished(() => target.close());
  return { double, target };
}

async function clientService(rules = {}) {
  const double = await startClientService({ rules });
  const target = new TypesenseClientTarget({
    url: double.url,
    collection: COLLECTION,
    concurrency: 4,
    key: 'client-key',
    managementUrl: undefined,
    adminToken: undefined,
    serviceName: 'sequence-service',
    onRefresh: () => {},
  });
  onTestFinished(() => target.close());
  return { double, target };
}

const document = (id: string) => ({
  id,
  scope: 's',
  element_type: 'script',
  element_id: 1,
  sequence_number: 1,
  version_number: 1,
  comment: '',
  text: '',
  is_latest: true,
  service_name: '',
  sync_generation: 1,
  updated_at: 1,
});
const put = (id: string, isNew: boolean) =>
  ({ kind: 'put', id, json: JSON.stringify(document(id)), isNew }) as const;
const ACKNOWLEDGED = { kind: 'acknowledged' };

describe.each([
  ['typesense', typesense],
  ['typesense-client', clientService],
] as const)('%s', (_name, start) => {
  test('an empty collection is told from a filled one, whoever made it', async () => {
    const { double, target } = await start();
    expect(await target.prepare(signal())).toBe('empty');
    expect(await target.prepare(signal())).toBe('empty');
    await target.send([put('a', true)], signal());
    expect(await target.prepare(signal())).toBe('filled');
    double.drop(COLLECTION);
    expect(await target.prepare(signal())).toBe('empty');
  });

  test('a portal in its place prepares nothing', async () => {
    const { double, target } = await start();
    double.faults.always(answers.html());
    await expect(target.prepare(signal())).rejects.toThrow(OutageError);
  });

  test('a portal in its place deletes nothing', async () => {
    const { double, target } = await start();
    await target.prepare(signal());
    double.faults.next(answers.html());
    await expect(target.send([del('a')], signal())).rejects.toMatchObject({ unanswered: true });
  });

  test('a delete of what is not there is a success', async () => {
    const { target } = await start();
    await target.prepare(signal());
    expect(await target.send([del('nobody')], signal())).toEqual([ACKNOWLEDGED]);
  });

  test('a missing collection is an outage that says so', async () => {
    const { target } = await start();
    for (const operation of [put('a', true), put('a', false), del('a')])
      await expect(target.send([operation], signal())).rejects.toMatchObject({ collectionMissing: true });
  });

  test('a refused connection has carried nothing; a reset may have; a gateway does not know', async () => {
    const { double, target } = await start();
    await target.prepare(signal());
    double.faults.next({ kind: 'reset' });
    await expect(target.send([put('a', true)], signal())).rejects.toMatchObject({ unanswered: true });
    double.faults.next(answers.html(504));
    await expect(target.send([put('a', true)], signal())).rejects.toMatchObject({ unanswered: true });
    double.faults.next(answers.notReady());
    await expect(target.send([put('a', true)], signal())).rejects.toMatchObject({ unanswered: false });
    await double.server.refuse();
    // The first may find a connection that was kept alive.
    await expect(target.send([put('a', true)], signal())).rejects.toThrow(OutageError);
    await expect(target.send([put('a', true)], signal())).rejects.toMatchObject({ unanswered: false });
  });

  test('a call ends with its signal, also one that is hung', async () => {
    const { double, target } = await start();
    await target.prepare(signal());
    double.faults.always({ kind: 'hang' });
    const started = performance.now();
    for (const operation of [put('a', true), del('a')])
      await expect(target.send([operation], AbortSignal.timeout(50))).rejects.toMatchObject({
        unanswered: true,
      });
    await expect(target.send([del('a')], AbortSignal.abort())).rejects.toThrow(OutageError);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

test('the client service may be strict: create what is there, update what is not, make what exists', async () => {
  const { double, target } = await clientService({
    create: 'fail',
    update: 'fail',
    existingCollection: 'fail',
  });
  expect(await target.prepare(signal())).toBe('empty');
  expect(await target.send([put('a', false)], signal())).toEqual([ACKNOWLEDGED]);
  expect(await target.send([put('a', true)], signal())).toEqual([ACKNOWLEDGED]);
  expect(await target.prepare(signal())).toBe('filled');
  expect(double.documents(COLLECTION)).toHaveLength(1);
});

test('Typesense: results are matched by position, failed ones among them', async () => {
  const { double, target } = await typesense();
  await target.prepare(signal());
  double.store.refuse('b');
  const verdicts = await target.send([put('a', true), put('b', true), del('x'), put('c', true)], signal());
  expect(verdicts).toMatchObject([
    ACKNOWLEDGED,
    { kind: 'refused', blame: 'document' },
    ACKNOWLEDGED,
    ACKNOWLEDGED,
  ]);
});

test('Typesense: another schema is told, not worked around', async () => {
  const { double, target } = await typesense();
  const fields = [{ name: 'scope', type: 'int32' }];
  await fetch(`${double.url}/collections`, {
    method: 'POST',
    headers: { 'x-typesense-api-key': double.apiKey },
    body: JSON.stringify({ name: COLLECTION, fields }),
  });
  await expect(target.prepare(signal())).rejects.toThrow(/another schema \(scope, element_type/);
});

describe('the key', () => {
  async function apiKey() {
    const keys = await startKeyService({ keys: { me: 'k1' } });
    const dispatcher = new Agent();
    onTestFinished(() => dispatcher.destroy());
    const refreshes: string[] = [];
    const key = new ApiKey({
      key: undefined,
      managementUrl: `${keys.url}/`,
      adminToken: 'admin-token',
      serviceName: 'me',
      dispatcher,
      onRefresh: (outcome) => refreshes.push(outcome),
    });
    return { keys, key, refreshes };
  }

  test('is fetched once for all who ask at the same time, and kept', async () => {
    const { keys, key, refreshes } = await apiKey();
    expect(await Promise.all([1, 2, 3].map(() => key.get(signal())))).toEqual(['k1', 'k1', 'k1']);
    await key.get(signal());
    expect(keys.fetches).toBe(1);
    keys.rotate('me', 'k2');
    expect(await Promise.all([1, 2, 3].map(() => key.renew('k1', signal())))).toEqual(['k2', 'k2', 'k2']);
    // One who comes late with the old key finds the new one.
    expect(await key.renew('k1', signal())).toBe('k2');
    expect(keys.fetches).toBe(2);
    expect(refreshes).toEqual(['ok', 'ok']);
  });

  test('that was good last is kept while there is no other', async () => {
    const { keys, key, refreshes } = await apiKey();
    await key.get(signal());
    await keys.server.refuse();
    await expect(key.renew('k1', signal())).rejects.toThrow(OutageError);
    expect(await key.get(signal())).toBe('k1');
    expect(refreshes).toEqual(['ok', 'failed']);
  });
});

test.each([
  ['0', 0],
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:01:40 GMT', 90_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', undefined],
  ['', undefined],
  ['1234567', undefined],
  [undefined, undefined],
])('Retry-After %j asks for %j ms', (header, ms) => {
  expect(retryAfterMs(header, 10_000)).toBe(ms);
});

test('typesense-client: where searches are refused and documents are not, it gives up after some time', async () => {
  const { double, target } = await clientService();
  await target.prepare(signal());
  await target.send([put('s_script_1_1', true)], signal());
  const everywhere = double.faults.always(answers.error(500, 'no'));
  const all = { scope: null, elementType: null };
  for (let time = 0; time < 10; time++)
    await expect(target.deleteOlder(all, 2, signal())).rejects.toThrow(OutageError);
  everywhere.end();
  const searches = double.faults.always(answers.error(500, 'no'), ({ route }) => route === 'search');
  for (let time = 0; time < 4; time++)
    await expect(target.deleteOlder(all, 2, signal())).rejects.toThrow(OutageError);
  expect(await target.deleteOlder(all, 2, signal())).toBe(false);
  searches.end();
  expect(double.documents(COLLECTION)).toHaveLength(1);
  expect(await target.deleteOlder(all, 2, signal())).toBe(true);
  expect(double.documents(COLLECTION)).toHaveLength(0);
});
