import { describe, expect, test } from 'vitest';
import { figureOf, mean, median, percentile, ratios } from '../../bench/arithmetic.ts';
import { rowOf } from '../../bench/results.ts';
import { formatted, spread, summary } from '../../bench/table.ts';
import { meets, TARGETS } from '../../bench/targets.ts';

describe('figures', () => {
  test('the median is the middle, of an even count the mean of the middle two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 7])).toBe(6);
    expect(median([3])).toBe(3);
  });

  test('a percentile is a value that occurred, the least that the share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
    expect(percentile([7], 0.99)).toBe(7);
  });

  test('numbers are sorted as numbers', () => {
    expect(median([100, 20, 3])).toBe(20);
    expect(percentile([100, 20, 3], 1)).toBe(100);
  });

  test('nothing has neither median, percentile nor mean', () => {
    for (const of of [() => median([]), () => percentile([], 0.5), () => mean([])])
      expect(of).toThrow(RangeError);
  });

  test('ratios are those of each round, not of the medians', () => {
    expect(ratios([10, 40, 20], [10, 20, 40])).toEqual({
      median: 1,
      low: 0.5,
      high: 2,
      values: [1, 2, 0.5],
    });
    expect(() => ratios([1], [1, 2])).toThrow(RangeError);
  });
});

describe('rows', () => {
  const row = (id: string, value: number) =>
    rowOf({ id, title: id, unit: 'ratio', value: figureOf([value]) });

  test('a bound itself meets its target, on either side', () => {
    expect(meets(1.2, { at: 'least', value: 1.2 })).toBe(true);
    expect(meets(1.19, { at: 'least', value: 1.2 })).toBe(false);
    expect(meets(1.2, { at: 'most', value: 1.2 })).toBe(true);
    expect(meets(1.21, { at: 'most', value: 1.2 })).toBe(false);
  });

  test('the median is held against the target of its id; a row of another id has none', () => {
    expect(row('generate/json/256', 1.2)).toMatchObject({ verdict: 'met', target: { value: 1.2 } });
    expect(row('generate/json/256', 1.1)).toMatchObject({ verdict: 'missed' });
    expect(row('reorder/sqlite', 1.4)).toMatchObject({ verdict: 'missed' });
    expect(row('generate/json/16', 0.1)).toMatchObject({ verdict: 'no target' });
    expect(row('generate/json/16', 0.1)).not.toHaveProperty('target');
  });

  test('what was skipped was not passed', () => {
    const skipped = rowOf({ id: 'lane/empty/grpc', title: '', unit: 'ratio', skipped: 'not in this build' });
    expect(skipped).toMatchObject({ value: null, verdict: 'skipped', target: TARGETS['lane/empty/grpc'] });
    expect(summary([skipped, row('size/sqlite', 1), row('size/postgres', 0.1)])).toBe(
      'targets: 1 met, 1 missed (size/postgres), 1 skipped (lane/empty/grpc)',
    );
  });

  test('figures are written in their unit, with their range where there was more than one round', () => {
    expect(spread('ratio', figureOf([1.111, 1.31, 1.17]))).toBe('1.17 (1.11–1.31)');
    expect(spread('share', figureOf([0.0431]))).toBe('4.3 %');
    expect(formatted('per second', 12345.6)).toBe('12,346/s');
    expect(formatted('ms', 3.14)).toBe('3.1 ms');
    expect(formatted('ms', 2430.6)).toBe('2,431 ms');
  });
});
