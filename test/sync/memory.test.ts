import { expect, test } from 'vitest';
import { Memory } from '../../src/sync/memory.ts';

const WAITS = { limits: { minWaitMs: 200, maxWaitMs: 60_000 }, random: () => 1 };

test('a refusal that is the document’s own always counts, one that is the index’s never', () => {
  const memory = new Memory();
  expect(memory.counts('a', 'document')).toBe(true);
  memory.fail('a', WAITS);
  memory.pass('b', 0);
  expect(memory.counts('a', 'index')).toBe(false);
});

test('an unclear refusal counts only where another document has passed since the last one', () => {
  const memory = new Memory();
  expect(memory.counts('a', 'unclear')).toBe(false);
  memory.fail('a', WAITS);
  expect(memory.counts('a', 'unclear')).toBe(false);
  memory.pass('b', 0);
  expect(memory.counts('a', 'unclear')).toBe(true);
  memory.fail('a', WAITS);
  expect(memory.counts('a', 'unclear')).toBe(false);
});

test('what passed before the first refusal does not make it count', () => {
  const memory = new Memory();
  memory.pass('b', 0);
  expect(memory.counts('a', 'unclear')).toBe(false);
});

test('waits grow from twice the least to the most, and anew after a success', () => {
  const memory = new Memory();
  const waits = Array.from({ length: 12 }, () => memory.fail('a', WAITS));
  expect(waits.slice(0, 4)).toEqual([400, 800, 1_600, 3_200]);
  expect(waits.at(-1)).toBe(60_000);
  memory.pass('a', 0);
  expect(memory.fail('a', WAITS)).toBe(400);
  expect(memory.fail('a', { ...WAITS, random: () => 0 })).toBe(0);
});

test('what may still be on its way is sent once more at its end, and not after', () => {
  const memory = new Memory();
  memory.distrust('a', 1_000);
  memory.distrust('a', 700);
  expect(memory.unsettled(999)).toBe(true);
  expect(memory.pass('a', 400)).toBe(600);
  expect(memory.pass('b', 400)).toBeUndefined();
  expect(memory.pass('a', 1_000)).toBeUndefined();
  expect(memory.unsettled(1_000)).toBe(false);
});

test('after a crash every document is, for a time', () => {
  const memory = new Memory();
  memory.distrustAllUntil(500);
  expect(memory.unsettled(0)).toBe(true);
  expect(memory.pass('a', 100)).toBe(400);
  expect(memory.pass('a', 500)).toBeUndefined();
});

test('a clean document is forgotten', () => {
  const memory = new Memory();
  memory.fail('a', WAITS);
  memory.distrust('a', 1_000);
  memory.forget('a');
  expect(memory.unsettled(0)).toBe(false);
  memory.pass('b', 0);
  expect(memory.counts('a', 'unclear')).toBe(false);
});
