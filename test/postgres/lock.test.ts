import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { expect, onTestFinished, test } from 'vitest';
import {
  batchGenerate,
  createVersion,
  generate,
  move,
  openTestDatabase,
  orderOf,
  patiently,
  remove,
  SCENES,
  SCRIPTS,
  settled,
} from '../domain/harness.ts';
import type { Connection } from '../engines/engine.ts';
import { ENGINE } from '../engines/index.ts';
import { startAppOn } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { syncClient } from '../sync/harness.ts';
import { startReplica } from './replica.ts';

const LOCK = `SELECT 1 FROM sequence WHERE scope = ? AND element_type = ? FOR UPDATE`;

async function connection(place: string): Promise<Connection> {
  const opened = await ENGINE.connect(place);
  onTestFinished(() => opened.close());
  return opened;
}

/** Waits until so many backends wait for a lock. */
async function waiting(other: Pick<Connection, 'query'>, count: number): Promise<void> {
  for (;;) {
    const [row] = await other.query<{ n: number }>(
      `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (row!.n >= count) return;
    await sleep(5);
  }
}

test('one statement that locks and reads does not see what it waited for: why the lock has its own', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place);
  await writer.submit(batchGenerate([1, 2]), patiently());
  const holder = await connection(db.place);
  const other = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['play', 'script']);
  await holder.query('INSERT INTO element VALUES (1, 7, 3, 1, 1, 1, ?, NULL)', ['']);
  await holder.query('UPDATE sequence SET size = 3 WHERE id = 1');
  const together = other.query<{ size: number; n: number }>(
    `WITH lk AS MATERIALIZED (SELECT id, size FROM sequence WHERE id = 1 FOR UPDATE)
     SELECT lk.size, (SELECT count(*) FROM element WHERE sequence_id = lk.id) AS n FROM lk`,
  );
  await waiting(db, 1);
  await holder.query('COMMIT');
  expect(await together).toEqual([{ size: 3, n: 2 }]);
});

test('what another replica commits while a batch waits for its sequence is seen by all of the batch', async () => {
  const db = await openTestDatabase();
  const one = await startReplica(db.place);
  const two = await startReplica(db.place);
  await one.writer.submit(batchGenerate([1, 2, 3, 4]), patiently());
  await one.writer.submit(createVersion(2), patiently());
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['play', 'script']);
  // The first waits for the holder, and the second for the first as well.
  const removed = one.writer.submit(remove(2), patiently());
  await waiting(db, 1);
  const second = [
    generate(9),
    generate(3),
    createVersion(2),
    move(4, { at: 'before', elementId: 3 }),
    generate(2, { target: { at: 'first' } }),
    generate(10),
  ].map((write) => settled(two.writer.submit(write, patiently())));
  await waiting(db, 2);
  await holder.query('COMMIT');
  await removed;
  expect(await Promise.all(second)).toMatchObject([
    { answer: { element: { sequenceNumber: 4 } } },
    { error: 'ELEMENT_EXISTS' },
    { error: 'ELEMENT_NOT_FOUND' },
    { answer: { oldSequenceNumber: 3, newSequenceNumber: 2 } },
    { answer: { element: { sequenceNumber: 1, versionNumber: 1 } } },
    { answer: { element: { sequenceNumber: 6 } } },
  ]);
  expect(await orderOf(db)).toEqual([2, 1, 4, 3, 9, 10]);
  expect(await db.verify()).toEqual([]);
});

test('a batch passes over the sequence that another holds, and waits for it in a batch of its own', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place, { lanes: 1 });
  await Promise.all(
    [SCRIPTS, SCENES].map((sequence) => writer.submit(generate(1, { sequence }), patiently())),
  );
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['play', 'script']);
  const held = [generate(2), generate(3)].map((write) => writer.submit(write, patiently()));
  const free = writer.submit(generate(2, { sequence: SCENES }), patiently());
  expect((await free).element.sequenceNumber).toBe(2);
  await waiting(db, 1);
  await holder.query('COMMIT');
  const answers = await Promise.all(held);
  expect(answers.map(({ element }) => element.sequenceNumber)).toEqual([2, 3]);
  expect(await db.verify()).toEqual([]);
});

test('lanes: a sequence that is held does not hold up those of another lane', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place, { lanes: 2 });
  const sequences = Array.from({ length: 16 }, (_, n) => ({
    scope: `s${n}`,
    elementType: 'script' as const,
  }));
  await Promise.all(sequences.map((sequence) => writer.submit(generate(1, { sequence }), patiently())));
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['s0', 'script']);
  const held = writer.submit(generate(2, { sequence: sequences[0]! }), patiently());
  await waiting(db, 1);
  let answered = 0;
  const others = sequences
    .slice(1)
    .map((sequence) => writer.submit(generate(2, { sequence }), patiently()).then(() => answered++));
  while (answered === 0) await sleep(5);
  await holder.query('COMMIT');
  await Promise.all([held, ...others]);
  expect(await db.verify()).toEqual([]);
});

test('a lane that is held up leaves the other sequences to another lane, each in its order', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place, { lanes: 2 });
  const sequences = Array.from({ length: 16 }, (_, n) => ({
    scope: `s${n}`,
    elementType: 'script' as const,
  }));
  const [first, ...rest] = sequences;
  await Promise.all(sequences.map((sequence) => writer.submit(generate(1, { sequence }), patiently())));
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['s0', 'script']);
  const held = [writer.submit(generate(2, { sequence: first! }), patiently())];
  await waiting(db, 1);
  const answered: number[][] = [];
  for (const start of [10, 20]) {
    // In the second round it is known that the lane is held up.
    const others = rest.flatMap((sequence) =>
      [0, 1, 2].map((step) => writer.submit(generate(start + step, { sequence }), patiently())),
    );
    held.push(writer.submit(generate(start, { sequence: first! }), patiently()));
    const unwanted = { signal: AbortSignal.timeout(5), deadline: Date.now() + 5_000 };
    held.push(writer.submit(generate(start + 1, { sequence: first! }), patiently()));
    await expect(writer.submit(generate(9, { sequence: first! }), unwanted)).rejects.toThrow('timeout');
    answered.push((await Promise.all(others)).map(({ element }) => element.sequenceNumber));
  }
  expect(answered).toEqual([rest.flatMap(() => [2, 3, 4]), rest.flatMap(() => [5, 6, 7])]);
  await holder.query('COMMIT');
  const numbers = (await Promise.all(held)).map(({ element }) => element.sequenceNumber);
  expect(numbers).toEqual([2, 3, 4, 5, 6]);
  expect(await db.verify()).toEqual([]);
});

test('a lock that is not given back is waited for until its time is over: nothing is written', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place, { lockTimeoutMs: 100 });
  await writer.submit(generate(1), patiently());
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['play', 'script']);
  expect(await settled(writer.submit(generate(2), patiently()))).toEqual({ error: 'DEADLINE_EXCEEDED' });
  // And by the deadline of the batch, where that is earlier.
  const soon = { ...patiently(), deadline: Date.now() + 30 };
  expect(await settled(writer.submit(generate(3), soon))).toEqual({ error: 'DEADLINE_EXCEEDED' });
  await holder.query('COMMIT');
  expect((await writer.submit(generate(4), patiently())).element.sequenceNumber).toBe(2);
  expect(await orderOf(db)).toEqual([1, 4]);
});

test('one caller with 5 ms among 511 others gets its answer in time; the others theirs', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place);
  await writer.submit(generate(1_000), patiently());
  const holder = await connection(db.place);
  await holder.query('BEGIN');
  await holder.query(LOCK, ['play', 'script']);
  const patient = Array.from({ length: 511 }, (_, id) => writer.submit(generate(id + 1), patiently()));
  const started = performance.now();
  const hasty = writer.submit(generate(2_000), {
    signal: AbortSignal.timeout(5),
    deadline: Date.now() + 5,
  });
  await expect(hasty).rejects.toThrow('timeout');
  expect(performance.now() - started).toBeLessThan(1_000);
  await waiting(db, 1);
  await holder.query('COMMIT');
  const numbers = (await Promise.all(patient)).map(({ element }) => element.sequenceNumber);
  expect(numbers).toEqual(Array.from({ length: 511 }, (_, index) => index + 2));
  expect(await db.verify()).toEqual([]);
});

test('a read that waits too long for a lock is told so, of a sequence or of the index', async () => {
  const place = await ENGINE.newPlace();
  const app = await startAppOn(place, { DATABASE_LOCK_TIMEOUT: '50ms' });
  const holder = await connection(place);
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE sequence, dirty_document IN ACCESS EXCLUSIVE MODE');
  const late = { code: Code.DeadlineExceeded };
  await expect(sequenceClient(app.url).getSequence({ scope: 'play', elementType: 1 })).rejects.toMatchObject(
    late,
  );
  await expect(syncClient(app.url).getSyncStatus({})).rejects.toMatchObject(late);
});
