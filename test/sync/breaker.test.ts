import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Breaker, BreakerOpenError, type BreakerState } from '../../src/sync/breaker.ts';

const OPTIONS = {
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  windowMs: 10_000,
  minOpenMs: 5_000,
  maxOpenMs: 60_000,
};

let breaker: Breaker;
let states: BreakerState[];
beforeEach(() => {
  vi.useFakeTimers();
  states = [];
  breaker = new Breaker(OPTIONS, (state) => states.push(state));
});
afterEach(() => {
  breaker.close();
  vi.useRealTimers();
});

const succeed = () => breaker.run(async () => 'fine');
const fail = () =>
  breaker.run(async () => {
    throw new Error('out');
  });
async function open() {
  for (let call = 0; call < 5 && breaker.state === 'closed'; call++)
    await expect(fail()).rejects.toThrow('out');
  expect(breaker.state).toBe('open');
}

test('opens at the fifth failure, not before, and lets nothing through then', async () => {
  for (let call = 0; call < 4; call++) await expect(fail()).rejects.toThrow('out');
  expect(breaker.state).toBe('closed');
  await expect(fail()).rejects.toThrow('out');
  expect(breaker.state).toBe('open');
  const action = vi.fn(async () => 'fine');
  await expect(breaker.run(action)).rejects.toThrow(BreakerOpenError);
  expect(action).not.toHaveBeenCalled();
});

test('failures among many successes do not open it', async () => {
  for (let call = 0; call < 20; call++) await (call % 3 === 0 ? fail().catch(() => {}) : succeed());
  expect(breaker.state).toBe('closed');
});

test('half-open after five seconds: a success closes it', async () => {
  await open();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(breaker.state).toBe('open');
  await vi.advanceTimersByTimeAsync(1);
  expect(breaker.state).toBe('half_open');
  expect(await succeed()).toBe('fine');
  expect(breaker.state).toBe('closed');
  expect(states).toEqual(['open', 'half_open', 'closed']);
});

test('stays open for longer with each failed probe, up to a minute, and anew for five seconds after a success', async () => {
  await open();
  for (const seconds of [5, 10, 20, 40, 60, 60]) {
    await vi.advanceTimersByTimeAsync(seconds * 1_000 - 1);
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(1);
    expect(breaker.state).toBe('half_open');
    await expect(fail()).rejects.toThrow('out');
  }
  await vi.advanceTimersByTimeAsync(60_000);
  await succeed();
  await vi.advanceTimersByTimeAsync(OPTIONS.windowMs + 1_000);
  await open();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(breaker.state).toBe('half_open');
});

test('half-open, it lets one call through at a time', async () => {
  await open();
  await vi.advanceTimersByTimeAsync(5_000);
  const first = Promise.withResolvers<string>();
  const probe = breaker.run(() => first.promise);
  await expect(succeed()).rejects.toThrow(BreakerOpenError);
  first.resolve('fine');
  expect(await probe).toBe('fine');
  expect(breaker.state).toBe('closed');
});

test.each([0, 5_000])(
  'a success from before the opening, %i ms late, is told but does not close it',
  async (late) => {
    const early = Promise.withResolvers<string>();
    const call = breaker.run(() => early.promise);
    await open();
    await vi.advanceTimersByTimeAsync(late);
    early.resolve('fine');
    expect(await call).toBe('fine');
    expect(breaker.state).not.toBe('closed');
  },
);

test('a failure keeps its own error', async () => {
  await expect(fail()).rejects.toThrow('out');
  await expect(
    breaker.run(async () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNRESET' }))),
  ).rejects.toMatchObject({ code: 'ECONNRESET' });
});
