import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { answers, type Fault } from '../support/typesense/faults.ts';
import { until } from '../support/until.ts';
import {
  AT,
  COLLECTION,
  converged,
  databaseFile,
  dirty,
  type Follower,
  follow,
  generated,
  KINDS,
  startIndex,
} from './harness.ts';
import { all } from './index-truth.ts';

const finished = ({ file }: Follower) =>
  until('the resync has ended', async () => {
    const open = await all<{ n: number }>(file, 'SELECT count(*) AS n FROM resync WHERE finish_time IS NULL');
    return open[0]!.n === 0;
  });

describe.each(KINDS)('%s', (kind) => {
  test('repairs what the index has lost and garbled', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    await generated(follower, double, 1, 30);
    const collection = double.store.get(COLLECTION);
    collection.remove('play_section_7_1');
    const [first] = double.documents(COLLECTION);
    collection.write('upsert', { ...first!, comment: 'garbled' }, new Set<string>() as never, 'reject');
    expect(await follower.sync.resync({ scope: 'play' })).toMatchObject({ generation: 2n });
    await finished(follower);
    await converged(follower.file, double);
    expect(double.documents(COLLECTION).every((one) => String(one['sync_generation']) === '2')).toBe(true);
  });

  test('several asked for at once are each a generation', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    await generated(follower, double, 1, 5);
    const answers = await Promise.all([1, 2, 3].map(() => follower.sync.resync({})));
    expect(answers.map(({ generation }) => generation).sort()).toEqual([2n, 3n, 4n]);
    await finished(follower);
    await converged(follower.file, double);
  });

  test('goes on after a restart in its middle', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const before = await follow(env, {}, file);
    await generated(before, double, 1, 50);
    double.store.get(COLLECTION).remove('play_section_9_1');
    const outage = double.faults.always(answers.notReady());
    await before.sync.resync({ elementType: ElementType.SECTION });
    await until('it has marked', async () => (await dirty(file)).dirty === 50);
    before.app.kill();
    await before.app.stop();
    outage.end();
    const after = await follow(env, {}, file);
    await finished(after);
    await converged(file, double);
  });

  test('a parked document does not keep it from its end', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
    await generated(follower, double, 1, 20);
    double.store.refuse('play_section_7_1');
    await follower.sync.resync({});
    // Through the client service a refusal is a document's own only where others pass between two of them.
    let next = 100n;
    const feed = async () => {
      await follower.client.generate({ ...AT, elementId: next++ });
      return (await dirty(follower.file)).parked === 1;
    };
    await until('it is parked', feed);
    await finished(follower);
    double.store.accept('play_section_7_1');
    await follower.sync.retryParked({ all: true });
    await converged(follower.file, double);
  });

  test('another target is not sent to until a resync accepts it', async () => {
    const [one, other] = [await startIndex(kind), await startIndex(kind)];
    const file = await databaseFile();
    const before = await follow(one.env, {}, file);
    await generated(before, one.double, 1, 10);
    await before.app.stop();
    const after = await follow(other.env, {}, file);
    await after.client.remove({ ...AT, elementId: 4n });
    await until('status says so', async () =>
      (await after.sync.getSyncStatus({})).lastError.includes('resync'),
    );
    await sleep(100);
    expect(other.double.log.total).toBe(0);
    await after.sync.resync({});
    await finished(after);
    await converged(file, other.double);
    expect(await after.sync.getSyncStatus({})).toMatchObject({ lastError: '' });
    await after.app.stop();
    // And the first one is now the stranger.
    const again = await follow(one.env, {}, file);
    await until('status says so', async () =>
      (await again.sync.getSyncStatus({})).lastError.includes('resync'),
    );
  });

  test('low priority does not starve under load, nor does it hold up what callers write', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_CONCURRENCY: '2' });
    const content = { text: 'x'.repeat(200_000) };
    for (let id = 1; id <= 6; id++) await follower.client.generate({ ...AT, elementId: BigInt(id), content });
    await converged(follower.file, double);
    // More is written again and again than one cycle's bytes.
    double.faults.always({ kind: 'delay', ms: 20 });
    let loading = true;
    const load = (async () => {
      const busy = { scope: 'busy', elementType: ElementType.ACTION };
      for (let id = 1; loading; id++) {
        const { revision } = await follower.client.generate({ ...busy, elementId: BigInt(id), content });
        if (id % 30 === 0) await follower.sync.waitForSync({ ...busy, revision: revision - 25n });
      }
    })();
    await sleep(100);
    await follower.sync.resync({ scope: 'play' });
    await finished(follower);
    loading = false;
    await load;
    await converged(follower.file, double);
  });
});

describe('orphans', () => {
  const orphan = (scope: string, id: number, generation: number) => ({
    id: `${scope}_section_${id}_1`,
    scope,
    element_type: 'section',
    element_id: id,
    sequence_number: 1,
    version_number: 1,
    comment: '',
    text: '',
    is_latest: true,
    service_name: 'sequence-service',
    sync_generation: generation,
    updated_at: 1,
  });

  test.each(KINDS)('%s: what older generations left in its scope goes, and nothing else', async (kind) => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    for (const scope of ['a-b', 'ab', 'A.B']) await follower.client.generate({ ...AT, scope, elementId: 1n });
    await converged(follower.file, double);
    const { store } = double;
    const put = (document: object) =>
      store.get(COLLECTION).write('upsert', document as never, new Set<string>() as never, 'reject');
    put(orphan('a-b', 99, 1));
    put(orphan('a-b', 98, 0));
    await follower.sync.resync({ scope: 'a-b', elementType: ElementType.SECTION });
    await finished(follower);
    await converged(follower.file, double);
    put(orphan('ab', 99, 1));
    await follower.sync.resync({});
    await finished(follower);
    await converged(follower.file, double);
  });

  test.each([404, 405, 501])(
    'a client service that cannot search (%i): they stay, and it ends',
    async (status) => {
      const { double, env } = await startIndex('typesense-client');
      const follower = await follow(env);
      await generated(follower, double, 1, 5);
      double.store
        .get(COLLECTION)
        .write('upsert', orphan('play', 99, 1) as never, new Set<string>() as never, 'reject');
      double.faults.always(
        { kind: 'answer', status, body: '{"detail":"Not Found"}' },
        ({ route }) => route === 'search',
      );
      await follower.sync.resync({});
      await finished(follower);
      expect(double.documents(COLLECTION)).toHaveLength(6);
      await follower.sync.resync({ scope: 'play' });
      await finished(follower);
    },
  );

  test('a client service whose search does not filter: nothing is deleted that is not an orphan', async () => {
    const { double, env } = await startIndex('typesense-client');
    const follower = await follow(env);
    await generated(follower, double, 1, 5);
    const body = () =>
      JSON.stringify({ hits: double.documents(COLLECTION).map((document) => ({ document })) });
    await follower.sync.resync({});
    await finished(follower);
    double.faults.next(
      [1, 2].map((): Fault => ({ kind: 'answer', status: 200, body: body() })),
      ({ route }) => route === 'search',
    );
    await follower.sync.resync({ elementType: ElementType.SCRIPT });
    await finished(follower);
    await converged(follower.file, double);
  });

  test('documents go on being sent while that fails', async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow(env);
    await generated(follower, double, 1, 5);
    const outage = double.faults.always(
      answers.error(400, 'no'),
      ({ route }) => route === 'documents.delete-where',
    );
    await follower.sync.resync({});
    await until('it has been tried', () => outage.hits > 0);
    const started = performance.now();
    for (let id = 10; id < 15; id++) {
      const { revision } = await follower.client.generate({ ...AT, elementId: BigInt(id) });
      await follower.sync.waitForSync({ ...AT, revision });
    }
    expect(performance.now() - started).toBeLessThan(1_500);
    expect(outage.hits).toBe(1);
  });
});
