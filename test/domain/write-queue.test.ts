import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type QueueEntry, WriteQueue } from '../../src/domain/write-queue.ts';
import { EFFORT } from './harness.ts';

interface Entry extends QueueEntry {
  readonly id: number;
}

let ids = 0;
function entryOf(sequenceName: string, bytes = 1): Entry {
  ids += 1;
  return { id: ids, sequenceName, bytes };
}

const NAMES = ['a', 'b', 'c', 'd'];
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('offer' as const),
      name: fc.constantFrom(...NAMES),
      bytes: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('draw' as const),
      entries: fc.integer({ min: 1, max: 8 }),
      bytes: fc.integer({ min: 1, max: 100 }),
    }),
  },
);

/** A queue in the plainest form: an array of lines, the one whose turn it is first. */
class PlainQueue {
  lines: { name: string; entries: Entry[] }[] = [];

  get all(): Entry[] {
    return this.lines.flatMap(({ entries }) => entries);
  }

  offer(entry: Entry, maxEntries: number, maxBytes: number): boolean {
    const line = this.lines.find(({ name }) => name === entry.sequenceName);
    const own = line?.entries ?? [];
    const fits = (entries: readonly Entry[], share: number) =>
      entries.length + 1 <= maxEntries * share && bytesOf(entries) + entry.bytes <= maxBytes * share;
    if (!fits(this.all, 1) || !fits(own, 1 / 2)) return false;
    if (own.length >= 64 && own.length >= 8 * this.turns(maxEntries)) return false;
    if (line) line.entries.push(entry);
    else this.lines.push({ name: entry.sequenceName, entries: [entry] });
    return true;
  }

  /** Twice a fair share of what waits, 8 at least. */
  turns(maxEntries: number): number {
    return Math.max(
      8,
      Math.ceil((2 * Math.min(this.all.length, maxEntries)) / Math.max(1, this.lines.length)),
    );
  }

  remove(entry: Entry): void {
    for (const line of this.lines) line.entries = line.entries.filter((other) => other !== entry);
    this.lines = this.lines.filter(({ entries }) => entries.length > 0);
  }

  draw(maxEntries: number, maxBytes: number): Entry[] {
    const drawn: Entry[] = [];
    const turns = this.turns(maxEntries);
    for (;;) {
      const had = (name: string) => drawn.filter(({ sequenceName }) => sequenceName === name).length;
      const line = this.lines.find(({ name }) => had(name) < turns);
      const entry = line?.entries[0];
      if (line === undefined || entry === undefined || drawn.length === maxEntries) return drawn;
      if (drawn.length > 0 && bytesOf(drawn) + entry.bytes > maxBytes) return drawn;
      drawn.push(entry);
      this.lines = this.lines.filter((other) => other !== line);
      line.entries.shift();
      if (line.entries.length > 0) this.lines.push(line);
    }
  }
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((bytes, entry) => bytes + entry.bytes, 0);
}

test('it does what a plain list of lines does', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 300 }),
      (steps, maxEntries, maxBytes) => {
        const queue = new WriteQueue<Entry>({ maxEntries, maxBytes });
        const plain = new PlainQueue();
        for (const step of steps) {
          if (step.do === 'offer') {
            const entry = entryOf(step.name, step.bytes);
            expect(queue.offer(entry)).toBe(plain.offer(entry, maxEntries, maxBytes));
          } else if (step.do === 'draw') {
            expect(queue.draw(step.entries, step.bytes)).toEqual(plain.draw(step.entries, step.bytes));
          } else {
            const entry = plain.all[step.pick % Math.max(1, plain.all.length)];
            if (entry === undefined) continue;
            expect(queue.remove(entry)).toBe(true);
            expect(queue.remove(entry)).toBe(false);
            plain.remove(entry);
          }
          expect(queue.entries).toBe(plain.all.length);
          expect(queue.bytes).toBe(bytesOf(plain.all));
        }
        expect(queue.draw(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toHaveLength(plain.all.length);
        expect([queue.entries, queue.bytes]).toEqual([0, 0]);
        expect(queue.draw(1, 1)).toEqual([]);
      },
    ),
    { numRuns: 200 * EFFORT },
  );
});

test('each sequence is drawn in order of arrival', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...NAMES)), fc.integer({ min: 1, max: 5 }), (names, size) => {
      const queue = new WriteQueue<Entry>({ maxEntries: 1_000, maxBytes: 1_000 });
      const offered = names.map((name) => entryOf(name));
      for (const entry of offered) expect(queue.offer(entry)).toBe(true);
      const drawn: Entry[] = [];
      while (queue.entries > 0) drawn.push(...queue.draw(size, 1_000));
      for (const name of NAMES) {
        const of = (entries: Entry[]) => entries.filter(({ sequenceName }) => sequenceName === name);
        expect(of(drawn)).toEqual(of(offered));
      }
    }),
  );
});

test('between two draws of a sequence that waits, no other is drawn twice', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...NAMES), { minLength: 1 }),
      fc.integer({ min: 1, max: 5 }),
      (names, size) => {
        const queue = new WriteQueue<Entry>({ maxEntries: 1_000, maxBytes: 1_000 });
        const left = new Map<string, number>();
        for (const name of names) {
          queue.offer(entryOf(name));
          left.set(name, (left.get(name) ?? 0) + 1);
        }
        const since = new Map<string, string[]>(NAMES.map((name) => [name, []]));
        while (queue.entries > 0)
          for (const { sequenceName } of queue.draw(size, 1_000)) {
            for (const [name, drawn] of since) if (left.get(name)! > 0) drawn.push(sequenceName);
            for (const name of NAMES) {
              const others = since.get(name)!.filter((other) => other !== name);
              expect(new Set(others).size).toBe(others.length);
            }
            left.set(sequenceName, left.get(sequenceName)! - 1);
            since.set(sequenceName, []);
          }
      },
    ),
  );
});

test('a busy sequence leaves half of the room to the others', () => {
  const queue = new WriteQueue<Entry>({ maxEntries: 10, maxBytes: 100 });
  const accepted = (name: string, bytes: number, count: number) =>
    Array.from({ length: count }, () => queue.offer(entryOf(name, bytes))).filter(Boolean).length;
  expect(accepted('busy', 1, 20)).toBe(5);
  expect(accepted('other', 1, 1)).toBe(1);
  expect(accepted('large', 40, 9)).toBe(1);
  expect(accepted('small', 1, 9)).toBe(3);
  expect(queue.entries).toBe(10);
});

test('as many draws come before a new entry as it says, or one fewer', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...NAMES), { maxLength: 200, size: 'max' }),
      fc.constantFrom(...NAMES),
      fc.integer({ min: 1, max: 30 }),
      (names, own, size) => {
        const queue = new WriteQueue<Entry>({ maxEntries: 10_000, maxBytes: 10_000 });
        for (const name of names) queue.offer(entryOf(name));
        const expected = queue.drawsBefore(own, size, 10_000);
        const entry = entryOf(own);
        queue.offer(entry);
        let draws = 0;
        while (!queue.draw(size, 10_000).includes(entry)) draws += 1;
        const alike = new Set(NAMES.map((name) => names.filter((other) => other === name).length)).size === 1;
        // Lines of unequal length come to their end sooner than it thinks.
        expect(draws).toBeLessThanOrEqual(expected + 1);
        if (alike) expect(draws).toBeGreaterThanOrEqual(expected - 1);
      },
    ),
  );
});

test('a draw with room for all takes twice its share of a hot sequence, and all of the others', () => {
  const queue = new WriteQueue<Entry>({ maxEntries: 8_192, maxBytes: 8_192 });
  const cold = Array.from({ length: 63 }, (_, index) => `cold-${index}`);
  for (let index = 0; index < 65; index++) queue.offer(entryOf('hot'));
  for (const name of cold) for (let index = 0; index < 4; index++) queue.offer(entryOf(name));
  const drawn = queue.draw(512, 8_192).map(({ sequenceName }) => sequenceName);
  expect(drawn.filter((name) => name === 'hot')).toHaveLength(Math.ceil((2 * (65 + 252)) / 64));
  expect(drawn.filter((name) => name !== 'hot')).toHaveLength(252);
  // Alone, it has all the room that there is.
  expect(queue.draw(512, 8_192)).toHaveLength(65 - 10);
});

test('a hot sequence among many may wait for 8 draws; alone it may fill its half', () => {
  const accepted = (others: number) => {
    const queue = new WriteQueue<Entry>({ maxEntries: 8_192, maxBytes: 8_192 });
    for (let index = 0; index < others; index++) queue.offer(entryOf(`cold-${index}`));
    return Array.from({ length: 5_000 }, () => queue.offer(entryOf('hot'))).filter(Boolean).length;
  };
  expect(accepted(0)).toBe(4_096);
  expect(accepted(7)).toBe(4_096);
  expect(accepted(63)).toBeLessThan(200);
});
