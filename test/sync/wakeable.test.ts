import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Wakeable } from '../../src/sync/wakeable.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;

/** Whether a promise has settled by now. */
async function done(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  promise.then(() => {
    settled = true;
  });
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return settled;
}

test('a wait ends after its time', async () => {
  const wait = new Wakeable().wait(100, never);
  await vi.advanceTimersByTimeAsync(99);
  expect(await done(wait)).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await done(wait)).toBe(true);
});

test('a wake-up ends every wait', async () => {
  const wakeable = new Wakeable();
  const waits = [wakeable.wait(1e6, never), wakeable.wait(1e6, never)];
  wakeable.wake();
  expect(await Promise.all(waits.map(done))).toEqual([true, true]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a wake-up while nobody waits is kept, once', async () => {
  const wakeable = new Wakeable();
  wakeable.wake();
  wakeable.wake();
  expect(await done(wakeable.wait(1e6, never))).toBe(true);
  expect(await done(wakeable.wait(1e6, never))).toBe(false);
});

test('one that ends a wait is not kept as well', async () => {
  const wakeable = new Wakeable();
  const wait = wakeable.wait(1e6, never);
  wakeable.wake();
  await wait;
  expect(await done(wakeable.wait(1e6, never))).toBe(false);
});

test('an abort ends a wait, and leaves nothing behind', async () => {
  const controller = new AbortController();
  const wakeable = new Wakeable();
  const wait = wakeable.wait(1e6, controller.signal);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  controller.abort();
  expect(await done(wait)).toBe(true);
  expect(await done(wakeable.wait(1e6, controller.signal))).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});
