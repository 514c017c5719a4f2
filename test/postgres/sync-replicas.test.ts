import { setTimeout as sleep } from 'node:timers/promises';
import { Code, type ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { sequenceClient } from '../support/clients.ts';
import { urlOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { answers } from '../support/typesense/faults.ts';
import { until } from '../support/until.ts';
import {
  AT,
  COLLECTION,
  converged,
  databaseFile,
  dirty,
  follow,
  generated,
  KINDS,
  startIndex,
} from '../sync/harness.ts';
import { all } from '../sync/index-truth.ts';

const documents = ({ route }: { route: string }) => route === 'import' || route === 'sync';
const items = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => ({ elementId: BigInt(first + index) }));
const resyncs = (file: string) => all<{ generation: number }>(file, 'SELECT generation FROM resync');

describe.each(KINDS)('%s: two replicas', (kind) => {
  test('share what is dirty: not each sends everything; nothing keeps a lease', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    // What a collection that was just made makes of the documents is another test's.
    await (await follow(env, {}, file)).app.stop();
    const replicas = [await follow(env, {}, file), await follow(env, {}, file)] as const;
    await until('both are ready', async () => (await all(file, 'SELECT 1 FROM sync_target')).length === 1);
    await sleep(200);
    const before = double.log.documentsReceived;
    await Promise.all([
      replicas[0].client.batchGenerate({ ...AT, items: items(1, 300) }),
      replicas[1].client.batchGenerate({ ...AT, scope: 'other', items: items(1, 300) }),
    ]);
    await converged(file, double);
    // A clear passes over a row that the other replica is just looking at; it is sent once more.
    expect(double.log.documentsReceived - before).toBeLessThan(2 * 600);
  });

  test('a document of a killed one may still land: it is sent at the lease’s end, and again after SYNC_SETTLE', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const times = { SYNC_CALL_TIMEOUT: '400ms', SYNC_SETTLE: '1500ms' };
    const other = await follow({ ...env, ...times }, {}, file);
    await generated(other, double, 1, 12);
    await other.app.stop();
    const killed = await startService({
      env: { ...(env as Record<string, string>), ...times, DATABASE_URL: urlOf(file) },
    });
    double.faults.always({ kind: 'hang', apply: 'held' }, documents);
    await sequenceClient(killed.url).createVersion({ ...AT, elementId: 1n, comment: 'old' });
    await until('it is in flight', () => double.log.inFlight > 0);
    killed.child.kill('SIGKILL');
    await killed.ended;
    double.faults.clear();
    const [lease] = await all<{ lease_expire_time: number; now: number }>(
      file,
      `SELECT lease_expire_time, (extract(epoch FROM now()) * 1000000)::bigint AS now FROM dirty_document
       WHERE version_number = 2`,
    );
    expect(Number(lease!.lease_expire_time)).toBeGreaterThan(Number(lease!.now));
    const leftMs = (Number(lease!.lease_expire_time) - Number(lease!.now)) / 1000;
    const seen = performance.now();

    const after = await follow({ ...env, ...times }, {}, file);
    await after.client.move({ ...AT, elementId: 1n, target: { case: 'position', value: 9 } });
    await until('the new state has been sent', () =>
      double.documents(COLLECTION).some((one) => one['version_number'] === 2 && one['sequence_number'] === 9),
    );
    // Not before the other's lease was over.
    expect(performance.now() - seen).toBeGreaterThanOrEqual(leftMs - 50);
    const [left] = await until('it is acknowledged and kept', async () => {
      const rows = await all<{ next_try_time: number; lease_expire_time: number }>(
        file,
        'SELECT next_try_time, lease_expire_time FROM dirty_document WHERE version_number = 2 AND next_try_time > 0',
      );
      return rows.length > 0 && rows;
    });
    // Kept until SYNC_SETTLE after that lease's end, and whoever takes it before knows of it.
    const until_ = Number(lease!.lease_expire_time) + 1_500_000;
    expect(Number(left!.next_try_time)).toBeGreaterThan(until_ - 100_000);
    expect(Number(left!.lease_expire_time)).toBeGreaterThan(Number(lease!.lease_expire_time) - 100_000);
    expect(double.server.applyHeld()).toBeGreaterThan(0);
    await converged(file, double, 15_000);
  });

  test('a send without an answer is known to the other, which keeps the document dirty', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const one = await follow({ ...env, SYNC_SETTLE: '3s' }, {}, file);
    await generated(one, double, 1, 3);
    double.faults.next({ kind: 'hang', apply: 'held' }, documents);
    await one.client.createVersion({ ...AT, elementId: 1n, comment: 'old' });
    await until('it is given up', async () => (await one.sync.getSyncStatus({})).lastError !== '');
    await one.app.stop();
    const other = await follow({ ...env, SYNC_SETTLE: '3s' }, {}, file);
    await other.client.createVersion({ ...AT, elementId: 1n, comment: 'new' });
    await until('sent', () => double.documents(COLLECTION).some((each) => each['comment'] === 'new'));
    await sleep(100);
    expect((await dirty(file)).dirty).toBeGreaterThan(0);
    expect(double.server.applyHeld()).toBe(1);
    await converged(file, double, 15_000);
  });

  test('a clean stop of one says nothing of the other; what it held is free at once', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const times = { SYNC_CALL_TIMEOUT: '60s' };
    const one = await follow({ ...env, ...times }, {}, file);
    await generated(one, double, 1, 5);
    const hanging = double.faults.always(answers.notReady(), documents);
    await one.client.createVersion({ ...AT, elementId: 1n, comment: 'new' });
    await until('it has been tried', () => hanging.hits > 0);
    await one.app.stop();
    double.faults.clear();
    const leased = await all(
      file,
      'SELECT * FROM dirty_document WHERE lease_expire_time > extract(epoch FROM now()) * 1000000',
    );
    expect(leased).toEqual([]);
    await follow({ ...env, ...times }, {}, file);
    await converged(file, double);
  });

  test('a Resync at one reaches the other: nothing is sent as of the generation before', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const one = await follow(env, {}, file);
    await generated(one, double, 1, 200);
    // One that finds the collection empty while another fills it may begin a Resync of its own.
    const two = await follow(env, {}, file);
    const stop = new AbortController();
    const writers = [one, two].map(async ({ client }, replica) => {
      for (let id = 1_000 * (replica + 1); !stop.signal.aborted; id++) {
        await client.generate({ ...AT, elementId: BigInt(id) });
        await client.createVersion({ ...AT, elementId: BigInt(id), comment: 'again' });
      }
    });
    const resynced = async () => {
      const begun = await Promise.all([one.sync.resync({}), two.sync.resync({}), one.sync.resync({})]);
      expect(begun.map(({ generation }) => Number(generation)).sort()).toEqual([2, 3, 4]);
      await until('the resyncs have ended', async () => {
        const [open] = await all<{ n: number }>(
          file,
          'SELECT count(*)::integer AS n FROM resync WHERE finish_time IS NULL',
        );
        return open!.n === 0;
      });
    };
    try {
      await Promise.race([resynced(), Promise.all(writers)]);
    } finally {
      stop.abort();
      await Promise.allSettled(writers);
    }
    await Promise.all(writers);
    await converged(file, double);
    expect(new Set(double.documents(COLLECTION).map((each) => String(each['sync_generation'])))).toEqual(
      new Set(['4']),
    );
    // Each document was marked once a resync, by one of the two.
    for (const { marked, total } of await all<{ marked: number; total: number }>(
      file,
      'SELECT marked, total FROM resync ORDER BY generation',
    )) {
      expect(Number(marked)).toBeGreaterThanOrEqual(Number(total));
      expect(Number(marked)).toBeLessThan(Number(total) * 2 + 1_000);
    }
  });

  test('an empty collection that three find at once is filled', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const first = await follow(env, {}, file);
    await generated(first, double, 1, 40);
    await first.app.stop();
    double.drop(COLLECTION);
    await Promise.all([1, 2, 3].map(() => follow(env, {}, file)));
    await until('all documents', () => double.documents(COLLECTION).length === 40);
    await converged(file, double);
    // One is enough, and mostly all: who finds it empty while another's documents are on their way begins one too.
    expect((await resyncs(file)).length).toBeLessThanOrEqual(3);
  });

  test('one that only serves wakes the other, and its callers wait for what that one sends', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const sender = await follow(env, {}, file);
    const server = await follow({ ...env, SYNC_WORKER: 'off' }, {}, file);
    await generated(sender, double, 1, 3);
    await sleep(200);
    // By polling alone each of these takes up to 5 s.
    for (let round = 0; round < 4; round++) {
      const { revision } = await server.client.createVersion({ ...AT, elementId: 2n });
      await server.sync.waitForSync({ ...AT, revision }, { timeoutMs: 4_000 });
    }
    expect(await server.sync.getSyncStatus({})).toMatchObject({ enabled: true, dirty: 0n });
    await converged(file, double);
  });

  test('parked by one, listed and retried at any; one without an index marks too', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const sender = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' }, {}, file);
    const server = await follow({ ...env, SYNC_WORKER: 'off' }, {}, file);
    const without = await follow({}, {}, file);
    await generated(sender, double, 1, 3);
    double.store.refuse('play_section_2_1');
    const { revision } = await without.client.move({
      ...AT,
      elementId: 2n,
      target: { case: 'first', value: true },
    });
    await until('it is parked', async () => {
      // That others pass shows whose fault it is.
      await without.client.createVersion({ ...AT, elementId: 3n });
      return (await dirty(file)).parked === 1;
    });
    for (const { sync } of [sender, server, without])
      expect((await sync.listParked({})).documents).toMatchObject([{ documentId: 'play_section_2_1' }]);
    const refused = await server.sync.waitForSync({ ...AT, revision }).catch((error: unknown) => error);
    expect((refused as ConnectError).code).toBe(Code.FailedPrecondition);
    double.store.accept('play_section_2_1');
    expect(await server.sync.retryParked({ all: true })).toMatchObject({ retried: 1n });
    await converged(file, double);
  });
});
