import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Pace } from '../../../src/rpc/shedding/pace.ts';

const OPTIONS = { perSecond: () => 100, burst: 5, maxHoldMs: 60_000, maxHeld: 1_000 };

/** Runs so many tasks, and tells which have run. */
function run(pace: Pace, count: number): number[] {
  const done: number[] = [];
  for (let task = 0; task < count; task++) pace.run(() => done.push(task));
  return done;
}

test('a burst at once, the rest in order and no faster than the rate', async () => {
  const pace = new Pace(OPTIONS);
  const started = performance.now();
  const done = run(pace, 30);
  expect(done).toHaveLength(5);
  while (done.length < 30) {
    await setTimeout(5);
    const allowed = 5 + (performance.now() - started) / 10 + 1;
    expect(done.length).toBeLessThanOrEqual(allowed);
  }
  expect(done).toEqual(Array.from({ length: 30 }, (_, task) => task));
});

test('nothing is held for longer than its bound', async () => {
  const pace = new Pace({ ...OPTIONS, maxHoldMs: 100 });
  const started = performance.now();
  const done = run(pace, 500);
  while (done.length < 500) await setTimeout(5);
  const tookMs = performance.now() - started;
  expect(tookMs).toBeGreaterThan(95);
  expect(tookMs).toBeLessThan(1_000);
});

test('what comes when as many are held as may be runs at once', () => {
  const pace = new Pace({ ...OPTIONS, maxHeld: 10 });
  expect(run(pace, 40)).toEqual([0, 1, 2, 3, 4, ...Array.from({ length: 25 }, (_, index) => 15 + index)]);
});
