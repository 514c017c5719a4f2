import { setImmediate, setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { DatabaseError, type DatabaseErrorKind } from '../../src/db/errors.ts';
import { OverloadedError } from '../../src/domain/errors.ts';
import type { WaitOptions } from '../../src/domain/pending-write.ts';
import type { Generate } from '../../src/domain/writes.ts';
import { ENGINE } from '../engines/index.ts';
import { inFull, WatchedConnection } from './connections.ts';
import {
  batchGenerate,
  generate,
  move,
  openTestDatabase,
  orderOf,
  patiently,
  remove,
  reorder,
  SCENES,
  settled,
  startWriter,
} from './harness.ts';

const UUID = '00000000-0000-4000-8000-000000000001';

async function start(options: Parameters<typeof startWriter>[1] = {}) {
  const db = await openTestDatabase();
  const connection = new WatchedConnection(inFull(db.database.writer));
  return { db, connection, ...startWriter(connection, options) };
}

/** A caller that can go. */
function caller(): WaitOptions & { leave(): void } {
  const controller = new AbortController();
  return { ...patiently(controller.signal), leave: () => controller.abort(new Error('gone')) };
}

/** A transaction in flight, held before its commit, so that what is submitted next has to wait. */
async function busy({ connection, writer }: Awaited<ReturnType<typeof start>>, elementId = 1_000) {
  const begun = connection.transactions + 1;
  const held = connection.hold();
  const first = writer.submit(generate(elementId), patiently());
  await connection.begun(begun);
  return {
    async release() {
      held.release();
      await first;
    },
  };
}

test('while a transaction is in flight the next batch gathers', async () => {
  const service = await start();
  const flight = await busy(service);
  const ids = Array.from({ length: 100 }, (_, index) => index + 1);
  const writes = ids.map((id) => service.writer.submit(generate(id), patiently()));
  await setTimeout(5);
  expect(service.connection.transactions).toBe(1);
  await flight.release();
  const answers = await Promise.all(writes);
  expect(answers.map(({ element }) => element.sequenceNumber)).toEqual(ids.map((id) => id + 1));
  expect(service.connection.transactions).toBe(2);
});

test('who may renumber many is written behind the others, who do not wait for it', async () => {
  const service = await start();
  const { writer, connection, db } = service;
  const ids = Array.from({ length: 10_001 }, (_, index) => index + 1);
  await writer.submit(batchGenerate(ids, { sequence: SCENES }), patiently());
  for (const large of [remove(1, { sequence: SCENES }), move(2, { at: 'last' }, { sequence: SCENES })]) {
    const flight = await busy(service, large.elementId + 1_000);
    const before = connection.transactions;
    const done: string[] = [];
    const writes = [
      writer.submit(large, patiently()).then(() => done.push('large')),
      writer.submit(generate(large.elementId), patiently()).then(() => done.push('small')),
      writer
        .submit(reorder([10_000, 9_999], { sequence: SCENES }), patiently())
        .then(() => done.push('behind')),
    ];
    await flight.release();
    await Promise.all(writes);
    expect([done, connection.transactions - before]).toEqual([['small', 'large', 'behind'], 2]);
    await writer.submit(generate(20_000 + large.elementId, { sequence: SCENES }), patiently());
  }
  expect(await db.verify()).toEqual([]);
});

test('a batch has its bound, and what is left makes the next', async () => {
  const service = await start({ limits: { maxBatch: 10 } });
  const flight = await busy(service);
  const writes = Array.from({ length: 25 }, (_, id) => service.writer.submit(generate(id + 1), patiently()));
  await flight.release();
  await Promise.all(writes);
  expect(service.connection.transactions).toBe(1 + 3);
});

test('writes that renumber many are shared out among transactions, in their order', async () => {
  const service = await start();
  const size = 1_000;
  const ids = Array.from({ length: size }, (_, index) => index + 1);
  await service.writer.submit(batchGenerate(ids), patiently());
  const flight = await busy(service, size + 1);
  const before = service.connection.transactions;
  const moved = Array.from({ length: 30 }, (_, index) => size - index);
  const answers = moved.map((id) => service.writer.submit(move(id, { at: 'first' }), patiently()));
  await flight.release();
  const settledAnswers = await Promise.all(answers);
  // 999 in each: after the eleventh, more than 10,000 were renumbered.
  expect(service.connection.transactions - before).toBe(3);
  const [first] = settledAnswers;
  expect(settledAnswers.map(({ revision }) => revision)).toEqual(moved.map((_, n) => first!.revision + n));
  expect((await orderOf(service.db)).slice(0, 30)).toEqual(moved.toReversed());
});

test('no answer leaves before its commit', async () => {
  const service = await start();
  const held = service.connection.hold();
  const answered = vi.fn();
  const write = service.writer.submit(generate(1), patiently()).then(answered);
  await service.connection.begun(1);
  await setTimeout(20);
  expect(answered).not.toHaveBeenCalled();
  expect(await orderOf(service.db)).toEqual([]);
  held.release();
  await write;
  expect(await orderOf(service.db)).toEqual([1]);
});

test('a lone write waits for no timer', async () => {
  const { writer, connection } = await start();
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
  try {
    await writer.submit(generate(1), patiently());
    await writer.submit(generate(2), patiently());
  } finally {
    vi.useRealTimers();
  }
  expect(connection.transactions).toBe(2);
});

test.each<[DatabaseErrorKind, string]>([
  ['unavailable', 'DATABASE_UNAVAILABLE'],
  ['data', 'INTERNAL'],
  ['timeout', 'DEADLINE_EXCEEDED'],
  // The look for its token finds nothing, so nothing was written.
  ['outcome_unknown', 'DATABASE_UNAVAILABLE'],
])('fails once (%s), succeeds, closes', async (kind, reason) => {
  const { db, writer, connection, errors } = await start();
  const error = new DatabaseError(kind, 'driver text');
  connection.failures.push({ error });
  const refused = await writer.submit(generate(1), patiently()).catch((refusal) => refusal);
  expect(refused).toMatchObject({ reason, metadata: {} });
  expect(refused.message).not.toContain('driver text');
  expect(errors).toHaveLength(1);
  expect((await writer.submit(generate(2), patiently())).element.sequenceNumber).toBe(1);
  await writer.close();
  await writer.close();
  expect(await orderOf(db)).toEqual([2]);
});

test('an error that is not the database’s is INTERNAL, and the writer goes on', async () => {
  const { writer, connection, errors } = await start();
  const defect = new TypeError('a defect');
  connection.before = () => Promise.reject(defect);
  expect(await settled(writer.submit(generate(1), patiently()))).toEqual({ error: 'INTERNAL' });
  expect(errors).toEqual([defect]);
  connection.before = undefined;
  await writer.submit(generate(1), patiently());
});

test('refused data is narrowed down to the one that is guilty; order is kept', async () => {
  const service = await start();
  const { db, connection, writer, errors } = service;
  await ENGINE.refuseElement(db.place, 13);
  const flight = await busy(service);
  const ids = [1, 2, 13, 3, 4, 5, 6];
  const writes = ids.map((id) => writer.submit(generate(id), patiently()));

  await flight.release();
  const results = await Promise.all(writes.map(settled));
  expect(results.map(({ error }) => error ?? 'ok')).toEqual(ids.map((id) => (id === 13 ? 'INTERNAL' : 'ok')));
  expect(await orderOf(db)).toEqual([1_000, 1, 2, 3, 4, 5, 6]);
  expect(errors).toHaveLength(1);
  // 7 fail, 4 fail, 2 pass, 2 fail, 1 fails, 1 passes, 3 pass.
  expect(connection.transactions).toBe(1 + 7);
  expect(await db.verify()).toEqual([]);
});

test('where the environment fails, the whole batch fails at once', async () => {
  const service = await start();
  const { db, connection, writer, errors } = service;
  const flight = await busy(service);
  const writes = [1, 2, 3, 4].map((id) => writer.submit(generate(id), patiently()));
  connection.failures.push({ error: new DatabaseError('unavailable', 'disk full') });
  await flight.release();
  const results = await Promise.all(writes.map(settled));
  expect(results).toEqual(results.map(() => ({ error: 'DATABASE_UNAVAILABLE' })));
  expect(connection.transactions).toBe(2);
  expect(errors).toHaveLength(1);
  expect(await orderOf(db)).toEqual([1_000]);
});

test('a commit with unknown outcome is settled by its token: it had happened', async () => {
  const { db, connection, writer } = await start();
  connection.failures.push({ error: new DatabaseError('outcome_unknown', 'I/O'), committed: true });
  const answer = await writer.submit(generate(1), patiently());
  expect(answer.element.sequenceNumber).toBe(1);
  expect(await db.query('SELECT revision FROM change')).toEqual([{ revision: 1 }]);
});

test('where it had not happened nothing is written, also not later', async () => {
  const { db, connection, writer } = await start();
  await writer.submit(generate(1), patiently());
  connection.failures.push({ error: new DatabaseError('outcome_unknown', 'I/O') });
  expect(await settled(writer.submit(generate(2), patiently()))).toEqual({ error: 'DATABASE_UNAVAILABLE' });
  expect((await writer.submit(generate(2), patiently())).element.sequenceNumber).toBe(2);
  expect(await orderOf(db)).toEqual([1, 2]);
});

test('where the database stays away, a repetition with the same request id settles it', async () => {
  const { db, connection, writer } = await start();
  const write = generate(1, { requestId: UUID });
  connection.failures.push(
    { error: new DatabaseError('outcome_unknown', 'I/O'), committed: true },
    { error: new DatabaseError('timeout', 'no answer') },
  );
  expect(await settled(writer.submit(write, patiently()))).toEqual({ error: 'OUTCOME_UNKNOWN' });
  expect((await writer.submit(write, patiently())).element.sequenceNumber).toBe(1);
  expect(await db.query('SELECT revision FROM change')).toEqual([{ revision: 1 }]);
});

test('a look that does not get through is made again', async () => {
  const { db, connection, writer } = await start();
  connection.failures.push(
    { error: new DatabaseError('outcome_unknown', 'cut off'), committed: true },
    { error: new DatabaseError('unavailable', 'still away') },
  );
  expect((await writer.submit(generate(1), patiently())).element.sequenceNumber).toBe(1);
  expect(await db.query('SELECT revision FROM change')).toEqual([{ revision: 1 }]);
});

test('a batch that another transaction was in the way of runs again, a few times', async () => {
  const { db, connection, writer } = await start();
  const conflict = { error: new DatabaseError('conflict', 'deadlock') };
  connection.failures.push(conflict, conflict);
  expect((await writer.submit(generate(1), patiently())).element.sequenceNumber).toBe(1);
  expect(connection.transactions).toBe(3);
  for (let again = 0; again < 10; again++) connection.failures.push(conflict);
  expect(await settled(writer.submit(generate(2), patiently()))).toEqual({ error: 'DATABASE_UNAVAILABLE' });
  expect(connection.transactions).toBe(13);
  expect(await orderOf(db)).toEqual([1]);
});

test('lanes run side by side, a sequence always in the same one, within one bound', async () => {
  const { db, connection, writer } = await start({ lanes: 2, limits: { maxQueue: 8 } });
  const scopes = Array.from({ length: 6 }, (_, n) => ({ scope: `s${n}`, elementType: 'script' as const }));
  const held = connection.hold();
  const writes = scopes.map((sequence) => writer.submit(generate(1, { sequence }), patiently()));
  await connection.begun(2);
  const more = scopes.map((sequence) => writer.submit(generate(2, { sequence }), patiently()));
  const last = scopes.map((sequence) => settled(writer.submit(generate(3, { sequence }), patiently())));
  held.release();
  expect((await Promise.all(last)).filter(({ error }) => error === 'OVERLOADED')).toHaveLength(4);
  for (const { element } of await Promise.all(writes)) expect(element.sequenceNumber).toBe(1);
  for (const { element } of await Promise.all(more)) expect(element.sequenceNumber).toBe(2);
  expect(await db.verify()).toEqual([]);
});

test('a caller that goes before its batch starts leaves nothing', async () => {
  const service = await start();
  const { db, connection, writer, metrics } = service;
  const flight = await busy(service);
  const wait = caller();
  const write = settled(writer.submit(generate(1), wait).catch(({ message }) => message));
  wait.leave();
  expect(await write).toEqual({ answer: 'gone' });
  expect((await metrics.queued.get()).values[0]!.value).toBe(0);
  expect((await metrics.queuedBytes.get()).values[0]!.value).toBe(0);
  await flight.release();
  await writer.close();
  expect(connection.transactions).toBe(1);
  expect(await orderOf(db)).toEqual([1_000]);
});

test('a caller that has gone already is not taken', async () => {
  const { writer, connection } = await start();
  const wait = caller();
  wait.leave();
  await expect(writer.submit(generate(1), wait)).rejects.toThrow('gone');
  await writer.close();
  expect(connection.transactions).toBe(0);
});

test('a caller that goes after its batch has started does not undo it', async () => {
  const { db, connection, writer } = await start();
  const held = connection.hold();
  const wait = caller();
  const write = writer.submit(generate(1), wait);
  await connection.begun(1);
  wait.leave();
  await expect(write).rejects.toThrow('gone');
  held.release();
  await writer.close();
  expect(await orderOf(db)).toEqual([1]);
});

test('a deadline that passes in the queue: nothing is written', async () => {
  let clock = 1_000_000;
  const service = await start({ now: () => clock });
  const { db, connection, writer } = service;
  const held = connection.hold();
  const { signal } = new AbortController();
  const first = writer.submit(generate(1), { signal, deadline: clock + 60_000 });
  await connection.begun(1);
  const late = settled(writer.submit(generate(2), { signal, deadline: clock + 50 }));
  const other = settled(writer.submit(generate(3), { signal, deadline: clock + 60_000 }));
  clock += 50;
  held.release();
  await first;
  expect(await late).toEqual({ error: 'DEADLINE_EXCEEDED' });
  expect(await other).toHaveProperty('answer');
  expect(await orderOf(db)).toEqual([1, 3]);
});

test('a transaction has the time of its latest deadline, 30 s at most', async () => {
  const clock = 1_000_000;
  const service = await start({ now: () => clock });
  const { connection, writer } = service;
  const { signal } = new AbortController();
  const submit = (...offsets: number[]) =>
    Promise.all(
      offsets.map((offset, index) =>
        writer.submit(generate(connection.transactions * 10 + index + 1), {
          signal,
          deadline: clock + offset,
        }),
      ),
    );
  await submit(500, 7_000, 900);
  await submit(500);
  await submit(900, 45_000);
  expect(connection.timeouts).toEqual([7_000, 500, 30_000]);
});

test('a caller with little time gets its error in that time; the others are not hurried', async () => {
  const clock = 1_000_000;
  const { db, connection, writer } = await start({ now: () => clock });
  const held = connection.hold();
  const wait = caller();
  const hurried = writer.submit(generate(1), { ...wait, deadline: clock + 5 });
  const patient = writer.submit(generate(2), { ...patiently(), deadline: clock + 10_000 });
  await connection.begun(1);
  // What the edge does when the time of a call is over.
  wait.leave();
  await expect(hurried).rejects.toThrow('gone');
  await setTimeout(20);
  held.release();
  expect((await patient).element.sequenceNumber).toBe(2);
  expect(await orderOf(db)).toEqual([1, 2]);
});

test('an equal request in flight is joined', async () => {
  const service = await start();
  const { db, connection, writer } = service;
  const flight = await busy(service);
  const write = generate(1, { requestId: UUID });
  const first = writer.submit(write, patiently());
  const joined = writer.submit({ ...write }, patiently());
  const another = writer.submit(generate(2, { requestId: UUID }), patiently());
  const anothers = writer.submit(generate(2, { requestId: UUID, caller: 'ann' }), patiently());
  await flight.release();
  expect(await joined).toBe(await first);
  expect(await settled(another)).toEqual({ error: 'REQUEST_ID_REUSED' });
  expect((await anothers).element.sequenceNumber).toBe(3);
  expect(await db.query('SELECT revision FROM change ORDER BY 1')).toEqual(
    [1, 2, 3].map((revision) => ({ revision })),
  );
  expect(connection.transactions).toBe(2);
});

test('who joins a request shares its failure too, and a later repetition is tried anew', async () => {
  const service = await start();
  const { writer } = service;
  const flight = await busy(service);
  const write = move(1, { at: 'first' }, { requestId: UUID });
  const calls = [writer.submit(write, patiently()), writer.submit(generate(1), patiently())];
  const joined = writer.submit(write, patiently());
  await flight.release();
  expect(await settled(calls[0]!)).toEqual({ error: 'ELEMENT_NOT_FOUND' });
  expect(await settled(joined)).toEqual({ error: 'ELEMENT_NOT_FOUND' });
  await calls[1];
  expect(await writer.submit(write, patiently())).toMatchObject({ newSequenceNumber: 1 });
});

test('who joins a request stays when its first caller goes', async () => {
  const service = await start();
  const { db, writer } = service;
  const flight = await busy(service);
  const write = generate(1, { requestId: UUID });
  const wait = caller();
  const first = writer.submit(write, wait);
  const joined = writer.submit(write, patiently());
  wait.leave();
  await expect(first).rejects.toThrow('gone');
  const third = writer.submit(write, patiently());
  await flight.release();
  expect((await joined).element.sequenceNumber).toBe(2);
  expect(await third).toEqual(await joined);
  expect(await orderOf(db)).toEqual([1_000, 1]);
  expect(await db.query('SELECT revision FROM change ORDER BY 1')).toHaveLength(2);
});

test('a request that everyone has left is not joined', async () => {
  const service = await start();
  const { db, writer } = service;
  const flight = await busy(service);
  const write = generate(1, { requestId: UUID });
  const wait = caller();
  const first = writer.submit(write, wait);
  wait.leave();
  // In the same turn: the first caller has not yet been told.
  const second = writer.submit(write, patiently());
  await expect(first).rejects.toThrow('gone');
  await flight.release();
  expect((await second).element.sequenceNumber).toBe(2);
  expect(await orderOf(db)).toEqual([1_000, 1]);
});

test('past the bound in entries: OVERLOADED at once, until there is room', async () => {
  const service = await start({ limits: { maxQueue: 8 } });
  const { writer, metrics } = service;
  const flight = await busy(service);
  const wait = caller();
  const scripts = [1, 2, 3].map((id) => writer.submit(generate(id), patiently()));
  const leaving = writer.submit(generate(4), wait);
  // Half of the whole for one sequence.
  const refused = await writer.submit(generate(5), patiently()).catch((error) => error);
  expect(refused).toBeInstanceOf(OverloadedError);
  expect(refused.retryAfterMs).toBeGreaterThanOrEqual(50);
  expect(refused.metadata).toEqual({ retry_after_ms: String(refused.retryAfterMs) });
  const scenes = [1, 2, 3, 4].map((id) => writer.submit(generate(id, { sequence: SCENES }), patiently()));
  const novel = (id: number): Generate =>
    generate(id, { sequence: { scope: 'novel', elementType: 'script' } });
  expect(await settled(writer.submit(novel(1), patiently()))).toEqual({ error: 'OVERLOADED' });
  expect((await metrics.overloaded.get()).values[0]!.value).toBe(2);

  wait.leave();
  const last = writer.submit(novel(2), patiently());
  await expect(leaving).rejects.toThrow('gone');
  await flight.release();
  await Promise.all([...scripts, ...scenes, last]);
  await writer.submit(generate(5), patiently());
});

test('past the bound in bytes: OVERLOADED', async () => {
  const service = await start({ limits: { maxQueueBytes: 40_000 } });
  const { writer } = service;
  const flight = await busy(service);
  // About 2 × 8,000 bytes each.
  const large = (id: number, rest = {}) => generate(id, { content: `"${'x'.repeat(8_000)}"`, ...rest });
  const first = writer.submit(large(1), patiently());
  expect(await settled(writer.submit(large(2), patiently()))).toEqual({ error: 'OVERLOADED' });
  const scene = writer.submit(large(1, { sequence: SCENES }), patiently());
  const novel = { sequence: { scope: 'novel', elementType: 'script' } };
  expect(await settled(writer.submit(large(1, novel), patiently()))).toEqual({ error: 'OVERLOADED' });
  const small = writer.submit(generate(3), patiently());
  await flight.release();
  await Promise.all([first, scene, small]);
});

test('closed, it finishes what it has taken and takes no more', async () => {
  const service = await start();
  const { db, writer } = service;
  const flight = await busy(service);
  const queued = writer.submit(batchGenerate([1, 2]), patiently());
  const closed = vi.fn();
  const closing = writer.close().then(closed);
  expect(await settled(writer.submit(generate(3), patiently()))).toEqual({ error: 'DRAINING' });
  await setImmediate();
  expect(closed).not.toHaveBeenCalled();
  await flight.release();
  await queued;
  await closing;
  expect(await settled(writer.submit(generate(3), patiently()))).toEqual({ error: 'DRAINING' });
  expect(await orderOf(db)).toEqual([1_000, 1, 2]);
});

test('a transaction that takes too long is interrupted and rolled back', async () => {
  const { db, connection, writer } = await start();
  await writer.submit(generate(1), patiently());
  connection.before = async (tx) => {
    tx.execute('DELETE FROM dirty_document');
    await tx.query('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n');
  };
  const started = performance.now();
  const slow = writer.submit(generate(2), { ...patiently(), deadline: Date.now() + 100 });
  expect(await settled(slow)).toEqual({ error: 'DEADLINE_EXCEEDED' });
  expect(performance.now() - started).toBeLessThan(5_000);
  connection.before = undefined;
  expect((await writer.submit(generate(3), patiently())).element.sequenceNumber).toBe(2);
  expect(await orderOf(db)).toEqual([1, 3]);
  expect(await db.query('SELECT element_id AS id FROM dirty_document')).toEqual([{ id: 1 }, { id: 3 }]);
});
