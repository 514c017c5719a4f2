import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ENGINE } from '../engines/index.ts';
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
  QUICK_ENV,
  startIndex,
  writeOfEveryKind,
} from './harness.ts';
import { all } from './index-truth.ts';
import { atPeace, noBusyLoop } from './outage.ts';

const documents = ({ route }: { route: string }) => route === 'import' || route === 'sync';
const HOUR_MS = 3_600_000;

describe.each(KINDS)('%s', (kind) => {
  test('hundreds of elements generated and removed during an outage leave nothing behind', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    await generated(follower, double, 1, 3);
    await double.server.refuse();
    const items = Array.from({ length: 1_000 * ENGINE.share }, (_, index) => ({
      elementId: BigInt(1_000 + index),
    }));
    await follower.client.batchGenerate({ ...AT, items });
    // A few callers: hundreds at once are more than a service takes on that shares its machine.
    const left = [...items];
    const caller = async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop())
        await follower.client.remove({ ...AT, elementId: item.elementId });
    };
    await Promise.all(Array.from({ length: 16 }, caller));
    await noBusyLoop(follower, double);
    await double.server.open();
    await converged(follower.file, double);
    await atPeace(follower, double);
    expect(double.documents(COLLECTION)).toHaveLength(3);
  });

  test('the collection is dropped while running: made again, a resync fills it', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    await generated(follower, double, 1, 40);
    double.drop(COLLECTION);
    await follower.client.createVersion({ ...AT, elementId: 7n, comment: 'notices' });
    await until('a resync', async () => (await all(follower.file, 'SELECT 1 FROM resync')).length > 0);
    await until('all documents', () => double.documents(COLLECTION).length === 41);
    await converged(follower.file, double);
    await until('its end', async () => {
      const [row, ...others] = await all<{ finish_time: number | null }>(
        follower.file,
        'SELECT * FROM resync',
      );
      expect(others).toEqual([]);
      return row!.finish_time !== null;
    });
    await atPeace(follower, double);
  });

  test('the collection is made by a request that was given up: still filled', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const before = await follow(env, {}, file);
    await generated(before, double, 1, 20);
    await before.app.stop();
    double.drop(COLLECTION);
    const creation = ({ route }: { route: string }) => route === 'collections.create';
    double.faults.next({ kind: 'hang', apply: 'now' }, creation);
    const follower = await follow(env, {}, file);
    await until('all documents', () => double.documents(COLLECTION).length === 20);
    await converged(file, double);
    await atPeace(follower, double);
  });

  test('a restart with the collection in place sends nothing again', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const before = await follow(env, {}, file);
    await generated(before, double, 1, 20);
    expect(await before.app.stop()).toBe(true);
    const sent = double.log.documentsReceived;
    const after = await follow(env, {}, file);
    await after.client.generate({ ...AT, elementId: 50n });
    await converged(file, double);
    expect(double.log.documentsReceived - sent).toBe(1);
    expect((await after.sync.getSyncStatus({})).resync).toBeUndefined();
  });

  test('writes are answered while a call is under way that has no end', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_CALL_TIMEOUT: '60s' });
    await generated(follower, double, 1, 12);
    const hanging = double.faults.always({ kind: 'hang' });
    await follower.client.createVersion({ ...AT, elementId: 12n });
    await until('it is in flight', () => double.log.inFlight > 0);
    await writeOfEveryKind(follower, 100);
    // Not one has ended.
    expect(double.log.inFlight).toBe(hanging.hits);
    follower.app.kill();
    await follower.app.stop();
  });

  test('changes to a document in flight: the newer state is sent after it', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_CALL_TIMEOUT: '2s' });
    await generated(follower, double, 1, 5);
    double.faults.next({ kind: 'delay', ms: 200 }, documents);
    await follower.client.createVersion({ ...AT, elementId: 1n, comment: 'in flight' });
    await until('it is in flight', () => double.log.inFlight > 0);
    const { revision } = await follower.client.move({
      ...AT,
      elementId: 1n,
      target: { case: 'position', value: 5 },
    });
    expect(double.log.inFlight).toBe(1);
    await follower.sync.waitForSync({ ...AT, revision });
    await converged(follower.file, double);
    await atPeace(follower, double);
  });

  test.each(['answered', 'held'] as const)(
    'Remove, and Generate again, of an element in flight, whose request is %s',
    async (how) => {
      const { double, env } = await startIndex(kind);
      const follower = await follow({ ...env, SYNC_CALL_TIMEOUT: '300ms' });
      await generated(follower, double, 1, 5);
      await follower.client.createVersion({ ...AT, elementId: 5n });
      await converged(follower.file, double);
      double.faults.next(
        how === 'held' ? { kind: 'hang', apply: 'held' } : { kind: 'delay', ms: 150 },
        documents,
      );
      await follower.client.createVersion({ ...AT, elementId: 5n, comment: 'third' });
      await until('it is in flight', () => double.log.inFlight > 0);
      await follower.client.remove({ ...AT, elementId: 5n });
      await follower.client.generate({ ...AT, elementId: 5n, comment: 'another life' });
      if (how === 'held') {
        await until('the new life has been sent', () =>
          double.documents(COLLECTION).some((document) => document['comment'] === 'another life'),
        );
        expect((await dirty(follower.file)).dirty).toBeGreaterThan(0);
        double.server.applyHeld();
      }
      await converged(follower.file, double);
      await atPeace(follower, double);
    },
  );

  test('off, Remove, on again', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const first = await follow(env, {}, file);
    await generated(first, double, 1, 10);
    await first.app.stop();
    const off = await follow({}, {}, file);
    expect(await off.sync.getSyncStatus({})).toMatchObject({ enabled: false, target: '', breakerState: '' });
    await off.client.remove({ ...AT, elementId: 4n });
    await off.client.createVersion({ ...AT, elementId: 5n });
    await off.app.stop();
    const without = await follow({ ...env, SYNC_WORKER: 'off' }, {}, file);
    await without.client.remove({ ...AT, elementId: 6n });
    await without.app.stop();
    expect(double.documents(COLLECTION)).toHaveLength(10);
    const on = await follow(env, {}, file);
    await converged(file, double);
    await atPeace(on, double);
  });

  test('the clock goes back an hour', async () => {
    let back = 0;
    const { double, env } = await startIndex(kind);
    const follower = await follow(env, { now: () => Date.now() - back });
    await generated(follower, double, 1, 12);
    const hanging = double.faults.always({ kind: 'hang', apply: 'on-close' });
    await follower.client.createVersion({ ...AT, elementId: 1n });
    await follower.client.remove({ ...AT, elementId: 2n });
    await until('some have no answer', () => hanging.hits > 2);
    hanging.end();
    // Sent again by now, and to be sent once more.
    await until('sent again', () => double.documents(COLLECTION).some((one) => one['version_number'] === 2));
    back = HOUR_MS;
    await follower.client.createVersion({ ...AT, elementId: 3n });
    await converged(follower.file, double);
    await atPeace(follower, double);
  });

  test('the clock has gone back an hour between two starts', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const before = await follow(env, {}, file);
    await generated(before, double, 1, 12);
    double.faults.always(answers.notReady());
    await before.client.createVersion({ ...AT, elementId: 1n });
    await until('it has been tried', async () => (await before.sync.getSyncStatus({})).lastError !== '');
    before.app.kill();
    await before.app.stop();
    double.faults.clear();
    const after = await follow({ ...env, ...QUICK_ENV }, { now: () => Date.now() - HOUR_MS }, file);
    await converged(file, double);
    await atPeace(after, double);
  });

  test('a stop without a flush, between send and clearing', async () => {
    const { double, env: target } = await startIndex(kind);
    // Long enough for the look at what is dirty meanwhile, however busy the machine is.
    const env = { ...target, SYNC_SETTLE: '3s' };
    const file = await databaseFile();
    const before = await follow(env, {}, file);
    await generated(before, double, 1, 12);
    double.faults.always({ kind: 'hang', apply: 'held' }, documents);
    await before.client.createVersion({ ...AT, elementId: 1n, comment: 'old' });
    await until('it is in flight', () => double.log.inFlight > 0);
    before.app.kill();
    await before.app.stop();
    double.faults.clear();
    const after = await follow(env, {}, file);
    await after.client.move({ ...AT, elementId: 1n, target: { case: 'position', value: 9 } });
    await until('sent', () => double.documents(COLLECTION).some((one) => one['sequence_number'] === 9));
    await sleep(50);
    expect((await dirty(file)).dirty).toBeGreaterThan(0);
    double.server.applyHeld();
    await converged(file, double, 15_000);
    await atPeace(after, double);
  });
});
