import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairShares } from '../../../src/rpc/shedding/fair-shares.ts';

/** What each sequence got of what it asked for, in so many milliseconds; all ask evenly over the time, in turn. */
function ask(
  perSecond: Readonly<Record<string, number>>,
  forMs: number,
  shares = new FairShares(),
  fromMs = 0,
) {
  const got = new Map(Object.keys(perSecond).map((name) => [name, 0]));
  const due = new Map(got);
  for (let now = 0; now < forMs; now++)
    for (const [name, rate] of Object.entries(perSecond))
      for (; due.get(name)! < (rate * now) / 1_000; due.set(name, due.get(name)! + 1))
        if (shares.take(name, fromMs + now)) got.set(name, got.get(name)! + 1);
  return got;
}

function others(count: number, perSecond: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`cold ${index}`, perSecond]));
}

describe('shares', () => {
  test('a sequence that asks for half of everything gets about twice the share of one', () => {
    const got = ask({ hot: 6_300, ...others(63, 100) }, 10_000);
    for (const [name, calls] of got) if (name !== 'hot') expect(calls).toBe(1_000);
    expect(got.get('hot')).toBeGreaterThan(1_500);
    expect(got.get('hot')).toBeLessThan(2_200);
  });

  test('whoever asks for no more than the others is never refused, whatever one asks for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 100 }), fc.nat(100), fc.nat(10_000), (count, rate, hot) => {
        const got = ask({ hot: Math.max(rate, hot), ...others(count, rate) }, 1_500);
        got.delete('hot');
        for (const calls of got.values()) expect(calls).toBe(Math.ceil((rate * 1_499) / 1_000));
      }),
      { numRuns: 50 },
    );
  });

  test.each([1, 2])('where there are only %i, one may have everything', (count) => {
    const rates = { hot: 8_000, ...others(count - 1, 10) };
    for (const [name, calls] of ask(rates, 3_000))
      expect(calls, name).toBeGreaterThan(rates[name as 'hot'] * 2.9);
  });

  test('none is left with nothing, however many there are and however slow it has become', () => {
    const shares = new FairShares();
    ask(others(500, 20), 1_000, shares);
    // A stall, and then few calls: those of before are many times as many.
    const got = ask({ ...others(500, 1), hot: 1_000 }, 2_000, shares, 1_100);
    expect(got.get('hot')).toBeGreaterThanOrEqual(4 * 16);
  });

  test('what was long ago does not count', () => {
    const shares = new FairShares();
    ask(others(500, 20), 1_000, shares);
    expect(ask({ hot: 5_000 }, 1_000, shares, 60_000).get('hot')).toBeGreaterThan(4_990);
  });
});
