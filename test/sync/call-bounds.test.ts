import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallBounds } from '../../src/sync/call-bounds.ts';

const FAR = Number.POSITIVE_INFINITY;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('every call ends within the bound, and not before fifteen sixteenths of it', async () => {
  const bounds = new CallBounds(1_600);
  const calls: { began: number; ended: number }[] = [];
  for (let call = 0; call < 40; call++) {
    const one = { began: performance.now(), ended: Number.NaN };
    calls.push(one);
    bounds.signal(FAR).addEventListener('abort', () => {
      one.ended = performance.now();
    });
    await vi.advanceTimersByTimeAsync(37);
  }
  await vi.advanceTimersByTimeAsync(1_600);
  for (const { began, ended } of calls) {
    expect(ended - began).toBeLessThanOrEqual(1_600);
    expect(ended - began).toBeGreaterThanOrEqual(1_500);
  }
  expect(vi.getTimerCount()).toBe(0);
});

test('calls that begin together share a signal; one with an earlier end has its own', async () => {
  const bounds = new CallBounds(1_600);
  const first = bounds.signal(FAR);
  await vi.advanceTimersByTimeAsync(50);
  expect(bounds.signal(FAR)).toBe(first);
  const early = bounds.signal(performance.now() + 30);
  await vi.advanceTimersByTimeAsync(30);
  expect([early.aborted, first.aborted]).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(50);
  expect(bounds.signal(FAR)).not.toBe(first);
  bounds.cutOff();
  expect(vi.getTimerCount()).toBe(0);
});

test('a lease that is over ends a call at once', async () => {
  const signal = new CallBounds(1_000).signal(performance.now() - 5);
  await vi.advanceTimersByTimeAsync(0);
  expect(signal.aborted).toBe(true);
});

test('cut off, all end and no timer is left; later calls have new signals', () => {
  const bounds = new CallBounds(1_000);
  const signals = [bounds.signal(FAR), bounds.signal(performance.now() + 10)];
  bounds.cutOff();
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  expect(bounds.signal(FAR).aborted).toBe(false);
  bounds.cutOff();
});
