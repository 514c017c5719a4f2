import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Admission } from '../../src/domain/admission.ts';
import type { Generate } from '../../src/domain/writes.ts';
import { WatchedConnection } from './connections.ts';
import { generate, openTestDatabase, patiently, settled, startWriter } from './harness.ts';

/** Runs batches of these lengths back to back, and returns the time at the end. */
function ran(admission: Admission, lengths: readonly number[], from = 0): number {
  let now = from;
  for (const length of lengths) {
    admission.begin(now);
    now += length;
    admission.end(now);
  }
  return now;
}

const lengths = fc.array(fc.double({ min: 0, max: 1_000, noNaN: true }), { maxLength: 30 });
const times = (count: number, ms: number) => Array.from({ length: count }, () => ms);

describe('the expected wait', () => {
  test('is nothing where nothing waits and nothing runs, whatever ran before', () => {
    fc.assert(
      fc.property(lengths, (before) => {
        const admission = new Admission();
        expect(admission.expectedWaitMs(0, ran(admission, before))).toBe(0);
      }),
    );
  });

  test('follows batches that are alike: so many of them, and the rest of the one that runs', () => {
    fc.assert(
      fc.property(
        lengths,
        fc.double({ min: 1, max: 1_000, noNaN: true }),
        fc.integer({ min: 0, max: 50 }),
        (before, ms, batches) => {
          const admission = new Admission();
          const now = ran(admission, times(40, ms), ran(admission, before));
          admission.begin(now);
          expect(admission.expectedWaitMs(batches, now + ms / 4) / ((batches + 0.75) * ms)).toBeCloseTo(1, 1);
        },
      ),
    );
  });

  test('a slow-down counts within a few batches, the end of it too', () => {
    const admission = new Admission();
    let now = ran(admission, times(20, 5));
    now = ran(admission, times(8, 500), now);
    expect(admission.expectedWaitMs(1, now)).toBeGreaterThan(250);
    now = ran(admission, times(12, 5), now);
    expect(admission.expectedWaitMs(1, now)).toBeLessThan(20);
  });

  test('one batch out of the ordinary hardly counts', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1_000, noNaN: true }), (ms) => {
        const admission = new Admission();
        const now = ran(admission, [...times(20, ms), 1e6]);
        expect(admission.expectedWaitMs(1, now)).toBeLessThan(2 * ms + 10);
      }),
    );
  });

  test('nor does a batch that overruns: nobody knows how much of it is left', () => {
    const admission = new Admission();
    const now = ran(admission, times(20, 10));
    admission.begin(now);
    expect(admission.expectedWaitMs(0, now + 1e6)).toBe(0);
  });

  test('is forgotten while nothing runs', () => {
    const admission = new Admission();
    const now = ran(admission, times(20, 800));
    expect(admission.expectedWaitMs(1, now + 1_000)).toBeCloseTo(admission.expectedWaitMs(1, now) / 2);
    expect(admission.expectedWaitMs(16, now + 20_000)).toBeLessThan(1);
  });

  test('is never negative or endless', () => {
    fc.assert(
      fc.property(lengths, fc.nat(1_000), fc.nat(100_000), (before, batches, laterMs) => {
        const admission = new Admission();
        const now = ran(admission, before);
        const expected = admission.expectedWaitMs(batches, now + laterMs);
        expect(expected).toBeGreaterThanOrEqual(0);
        expect(expected).toBeLessThanOrEqual((batches + 1) * 1_000);
      }),
    );
  });
});

describe('the writer', () => {
  const BATCH_MS = 30;
  const within = (ms: number) => ({ ...patiently(), deadline: Date.now() + ms });
  const elsewhere = (id: number): Generate =>
    generate(id, { sequence: { scope: `novel-${id}`, elementType: 'script' } });

  /** A writer of small batches that take their time, and what it has settled of a first hundred writes. */
  async function start() {
    const db = await openTestDatabase();
    const connection = new WatchedConnection(db.database.writer);
    const { writer, metrics } = startWriter(connection, { limits: { maxBatch: 4 } });
    connection.before = () => setTimeout(BATCH_MS);
    const fill = (first: number, count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          settled(writer.submit(generate(first + index), patiently())),
        ),
      );
    return { db, connection, writer, metrics, fill };
  }

  test('refuses what would wait for more than half of its time, at once, and takes it when the queue is gone', async () => {
    const { writer, metrics, fill } = await start();
    await fill(1, 40);
    const waiting = fill(101, 40);
    const started = performance.now();
    // Ten batches of 30 ms are before it.
    const refused = await writer.submit(generate(900), within(300)).catch((error) => error);
    expect(refused).toMatchObject({ reason: 'OVERLOADED' });
    expect(refused.retryAfterMs).toBeGreaterThan(5 * BATCH_MS);
    expect(performance.now() - started).toBeLessThan(BATCH_MS);
    expect((await metrics.overloaded.get()).values[0]!.value).toBe(1);
    const patient = settled(writer.submit(generate(901), within(10_000)));
    // In its first turn, another sequence waits for a batch or two.
    expect(await settled(writer.submit(elsewhere(1), within(400)))).toHaveProperty('answer');
    for (const result of await waiting) expect(result).toHaveProperty('answer');
    expect(await patient).toHaveProperty('answer');
    expect(await settled(writer.submit(generate(900), within(300)))).toHaveProperty('answer');
  });

  test('refuses nothing after one slow batch', async () => {
    const { connection, writer, fill } = await start();
    connection.before = undefined;
    await fill(1, 40);
    connection.before = () => setTimeout(600);
    await writer.submit(generate(500), patiently());
    connection.before = undefined;
    const burst = Array.from({ length: 40 }, (_, index) =>
      settled(writer.submit(generate(600 + index), within(2_000))),
    );
    for (const result of await Promise.all(burst)) expect(result).toHaveProperty('answer');
  });

  test('a hot sequence leaves the others their share', async () => {
    const { connection, writer, fill } = await start();
    connection.before = () => setTimeout(5);
    const cold = Array.from({ length: 7 }, (_, index) => `cold-${index}`);
    const served = new Map<string, number>();
    await fill(1, 8);
    const until = performance.now() + 1_000;
    const call = async (scope: string, id: number) => {
      const write = generate(id, { sequence: { scope, elementType: 'script' } });
      await writer.submit(write, patiently());
      // What is left in the queue at the end is the hot sequence's alone.
      if (performance.now() < until) served.set(scope, (served.get(scope) ?? 0) + 1);
    };
    const loop = async (scope: string, lane: number) => {
      for (let id = lane * 10_000 + 1; performance.now() < until; id++) await call(scope, id);
    };
    const callers = cold.flatMap((scope) => [0, 1, 2, 3].map((lane) => loop(scope, lane)));
    for (let lane = 0; lane < 200; lane++) callers.push(loop('hot', lane));
    await Promise.all(callers);
    const total = [...served.values()].reduce((sum, count) => sum + count, 0);
    const fairShare = total / (cold.length + 1);
    for (const scope of cold) expect(served.get(scope)! / fairShare).toBeGreaterThan(0.8);
  });
});
