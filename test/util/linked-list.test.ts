import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinkedList, type Place } from '../../src/util/linked-list.ts';

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), list: fc.nat({ max: 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('remove' as const),
      list: fc.nat({ max: 1 }),
      place: fc.nat({ max: 40 }),
    }),
  },
);

test('two lists hold what arrays would, whatever is added and removed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const lists = [new LinkedList<number>(), new LinkedList<number>()];
      const arrays: number[][] = [[], []];
      const places: Place<number>[] = [];
      for (const one of steps) {
        const list = lists[one.list]!;
        if (one.do === 'add') {
          arrays[one.list]!.push(places.length);
          places.push(list.add(places.length));
        } else {
          const place = places[one.place];
          if (place === undefined) continue;
          const at = arrays[one.list]!.indexOf(one.place);
          expect(list.remove(place)).toBe(at !== -1);
          if (at !== -1) arrays[one.list]!.splice(at, 1);
        }
        for (const [i, each] of lists.entries()) {
          expect(each.values()).toEqual(arrays[i]);
          expect(each.size).toBe(arrays[i]!.length);
          expect(each.first?.value).toBe(arrays[i]![0]);
        }
      }
    }),
  );
});

test('a place that was left points to no other', () => {
  const list = new LinkedList<string>();
  const [, middle] = ['a', 'b', 'c'].map((value) => list.add(value));
  list.remove(middle!);
  expect([middle!.previous, middle!.next, middle!.list]).toEqual([middle, middle, undefined]);
});
