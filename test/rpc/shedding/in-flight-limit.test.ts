import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InFlightLimit } from '../../../src/rpc/shedding/in-flight-limit.ts';

const OPTIONS = { targetMs: 80, min: 64, start: 512, max: 4_096, utilization: () => 1 };

/**
 * A service that ends `perMs` calls a millisecond, and callers who always have another one ready.
 *
 * @returns the time that a call took at the end, in ms
 */
function flood(limit: InFlightLimit, perMs: number, fromMs: number, forMs: number): number {
  let credit = 0;
  const running: number[] = [];
  let took = 0;
  for (let now = fromMs; now < fromMs + forMs; now++) {
    while (limit.enter(now)) running.push(now);
    for (credit += perMs; credit >= 1 && running.length > 0; credit--) {
      took = now - running.shift()!;
      limit.leave();
    }
  }
  while (running.pop() !== undefined) limit.leave();
  return took;
}

describe('the limit', () => {
  test('under a flood becomes what keeps calls at the target, however fast the service is', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 40, noNaN: true }), (perMs) => {
        const limit = new InFlightLimit(OPTIONS);
        const took = flood(limit, perMs, 0, 5_000);
        expect(took).toBeGreaterThan(40);
        expect(took).toBeLessThan(120);
        expect(limit.limit / (perMs * OPTIONS.targetMs)).toBeCloseTo(1, 0);
      }),
      { numRuns: 20 },
    );
  });

  test('never leaves its bounds, nor are more let in than it says', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('enter', 'leave'), fc.nat(300)), {
      maxLength: 300,
      size: 'max',
    });
    fc.assert(
      fc.property(steps, (some) => {
        const limit = new InFlightLimit({ ...OPTIONS, min: 2, start: 4, max: 6 });
        let now = 0;
        let running = 0;
        for (const [what, laterMs] of some) {
          now += laterMs;
          if (what === 'leave' && running > 0) {
            running -= 1;
            limit.leave();
          } else if (what === 'enter') {
            const before = running;
            if (limit.enter(now)) running += 1;
            expect(running > before).toBe(before + 1 <= limit.limit);
          }
          expect(limit.running).toBe(running);
          expect(limit.limit).toBeGreaterThanOrEqual(2);
          expect(limit.limit).toBeLessThanOrEqual(6);
        }
      }),
    );
  });

  test('a stall makes it small, never less than its least, and it has recovered a second later', () => {
    const limit = new InFlightLimit(OPTIONS);
    flood(limit, 6, 0, 2_000);
    flood(limit, 0, 2_000, 3_000);
    expect(limit.limit).toBe(OPTIONS.min);
    flood(limit, 6, 5_000, 1_000);
    expect(limit.limit).toBeGreaterThan(300);
  });

  test('where the loop has time, calls wait for something else: it grows, and shrinks when the loop is short', () => {
    let busy = 0.5;
    const limit = new InFlightLimit({ ...OPTIONS, utilization: () => busy });
    // Each takes 800 ms, however few there are.
    flood(limit, 0.64, 0, 3_000);
    expect(limit.limit).toBe(OPTIONS.max);
    busy = 1;
    flood(limit, 6, 3_000, 3_000);
    expect(limit.limit / 480).toBeCloseTo(1, 0);
  });

  test('nobody is refused while it is not reached, and it returns to its start', () => {
    const limit = new InFlightLimit(OPTIONS);
    flood(limit, 0, 0, 3_000);
    for (let now = 3_000; now < 6_000; now += 10) {
      for (let call = 0; call < 20; call++) expect(limit.enter(now)).toBe(true);
      for (let call = 0; call < 20; call++) limit.leave();
    }
    expect(limit.limit).toBeCloseTo(OPTIONS.start, 0);
  });

  test('it is pressed where the loop is short and more than half of its places are taken', () => {
    let busy = 1;
    const limit = new InFlightLimit({ ...OPTIONS, utilization: () => busy });
    for (let call = 0; call < 256; call++) limit.enter(0);
    expect(limit.isPressed).toBe(false);
    limit.enter(0);
    expect(limit.isPressed).toBe(true);
    limit.giveBack();
    expect(limit.isPressed).toBe(false);
    busy = 0.5;
    for (let call = 0; call < 100; call++) limit.enter(200);
    expect(limit.isPressed).toBe(false);
  });

  test('places that are given back are free, and nothing has ended with them', () => {
    const limit = new InFlightLimit({ ...OPTIONS, min: 2, start: 2, max: 2 });
    for (let now = 0; now < 1_000; now += 10) {
      expect([limit.enter(now), limit.enter(now), limit.enter(now)]).toEqual([true, true, false]);
      limit.giveBack();
      limit.giveBack();
    }
    expect(limit.running).toBe(0);
    expect(limit.perSecond).toBe(0);
  });
});
