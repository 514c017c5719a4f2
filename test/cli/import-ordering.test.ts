import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignLines } from '../../src/cli/fountain/lines.ts';
import { MAX_REORDERED, type OrderStep, stepsTo } from '../../src/cli/fountain/ordering.ts';

/** What the service does with the steps. */
function apply(current: readonly number[], steps: readonly OrderStep[]): number[] {
  let order = [...current];
  for (const step of steps)
    switch (step.kind) {
      case 'batch':
        expect(step.ids.length).toBeLessThanOrEqual(1_000);
        order.push(...step.ids);
        break;
      case 'insert':
      case 'move': {
        order = order.filter((id) => id !== step.id);
        order.splice(step.after === undefined ? 0 : order.indexOf(step.after) + 1, 0, step.id);
        break;
      }
      case 'reorder': {
        expect(step.newOrder.length).toBeLessThanOrEqual(MAX_REORDERED);
        const placeOf = new Map(order.map((id, place) => [id, place]));
        const places = step.newOrder.map((id) => placeOf.get(id)!).toSorted((a, b) => a - b);
        for (const [at, place] of places.entries()) order[place] = step.newOrder[at]!;
      }
    }
  return order;
}

function reach(current: readonly number[], target: readonly number[], bytes = 100): OrderStep[] {
  const held = new Set(current);
  const steps = stepsTo(current, target, (id) => (held.has(id) ? undefined : bytes));
  expect(apply(current, steps)).toEqual(target);
  return steps;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('steps', () => {
  test('lead from any order to any other', () => {
    const orders = fc.integer({ min: 0, max: 12 }).chain((held) =>
      fc.integer({ min: 0, max: 6 }).chain((fresh) => {
        const all = range(1, held + fresh);
        return fc.tuple(
          fc.constant(range(1, held)),
          fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
        );
      }),
    );
    fc.assert(
      fc.property(orders, ([current, target]) => {
        reach(current, target);
      }),
    );
  });

  test.each([
    ['nothing to do', range(1, 9), range(1, 9), []],
    ['a first import', [], range(1, 2_500), ['batch', 'batch', 'batch']],
    ['one in the middle', range(1, 9), [...range(1, 4), 10, ...range(5, 9)], ['insert']],
    ['two in the middle', range(1, 9), [...range(1, 4), 10, 11, ...range(5, 9)], ['insert', 'insert']],
    [
      'five in the middle',
      range(1, 9),
      [...range(1, 4), ...range(10, 14), ...range(5, 9)],
      ['batch', 'reorder'],
    ],
    ['at the end', range(1, 4), range(1, 9), ['batch']],
    ['one moved', range(1, 9), [9, ...range(1, 8)], ['move']],
    ['all the other way round', range(1, 9), range(1, 9).toReversed(), ['reorder']],
  ])('%s', (_, current, target, kinds) => {
    expect(reach(current, target).map(({ kind }) => kind)).toEqual(kinds);
  });

  test('more than one call can list', () => {
    expect(reach(range(1, 25_000), range(1, 25_000).toReversed())).toHaveLength(3);
    const middle = [...range(1, 15_000), ...range(30_001, 30_600), ...range(15_001, 30_000)];
    expect(reach(range(1, 30_000), middle).length).toBeLessThan(6);
  });

  test('a batch stays well below the size of a request', () => {
    const steps = reach([], range(1, 100), 250_000);
    expect(steps.length).toBeGreaterThan(9);
  });
});

describe('lines', () => {
  test('of a first import are those of the file', () => {
    expect(assignLines([2, 4, 9].map((inFile) => ({ inFile, held: undefined })))).toEqual([2, 4, 9]);
  });

  test('held ones stay, and those between get fractions', () => {
    expect(
      assignLines([
        { inFile: 2, held: 2 },
        { inFile: 4, held: undefined },
        { inFile: 6, held: undefined },
        { inFile: 8, held: 4 },
        { inFile: 10, held: undefined },
      ]),
    ).toEqual([2, 2 + 2 / 3, 2 + 4 / 3, 4, 10]);
  });

  test('rise strictly, whatever was held', () => {
    const held = fc.option(fc.double({ min: 0.001, max: 50, noNaN: true }), { nil: undefined });
    const blocks = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), held), { maxLength: 20 });
    fc.assert(
      fc.property(blocks, (drawn) => {
        let inFile = 0;
        const lines = assignLines(
          drawn.map(([step, held]) => {
            inFile += step;
            return { inFile, held };
          }),
        );
        for (const [at, line] of lines.entries()) expect(line).toBeGreaterThan(lines[at - 1] ?? 0);
      }),
    );
  });

  test('a hundred insertions at one place', () => {
    let held = [1, 2];
    for (let count = 0; count < 100; count++) {
      const blocks = [held[0], undefined, ...held.slice(1)].map((line, at) => ({
        inFile: at + 1,
        held: line,
      }));
      held = assignLines(blocks);
      for (const [at, line] of held.entries()) expect(line).toBeGreaterThan(held[at - 1] ?? 0);
    }
  });
});
