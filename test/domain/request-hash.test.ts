import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestHash } from '../../src/domain/request-hash.ts';
import type { Write } from '../../src/domain/writes.ts';
import { canonicalContent } from '../../src/rpc/content.ts';
import { batchGenerate, createVersion, generate, move, remove, reorder, SCENES } from './harness.ts';

/** For each kind a write, and others that differ from it in one field each. */
const FAMILIES: Write[][] = [
  [
    generate(1),
    generate(2),
    generate(1, { sequence: SCENES }),
    generate(1, { sequence: { scope: 'novel', elementType: 'script' } }),
    generate(1, { comment: 'x' }),
    generate(1, { content: '{}' }),
    generate(1, { content: 'null' }),
    generate(1, { content: '' }),
    generate(1, { expectedRevision: 0 }),
    generate(1, { expectedRevision: 1 }),
    generate(1, { target: { at: 'first' } }),
    generate(1, { target: { at: 'last' } }),
    generate(1, { target: { at: 'before', elementId: 2 } }),
    generate(1, { target: { at: 'before', elementId: 3 } }),
    generate(1, { target: { at: 'after', elementId: 2 } }),
    generate(1, { target: { at: 'position', position: 2 } }),
    generate(1, { target: { at: 'position', position: 1 } }),
  ],
  [
    batchGenerate([1]),
    batchGenerate([2]),
    batchGenerate([1, 2]),
    batchGenerate([2, 1]),
    batchGenerate([1], { items: [{ elementId: 1, comment: 'x', content: null }] }),
    batchGenerate([1], { items: [{ elementId: 1, comment: '', content: '{}' }] }),
    batchGenerate([1], { expectedRevision: 0 }),
    batchGenerate([1], { sequence: SCENES }),
  ],
  [
    reorder([1, 2]),
    reorder([2, 1]),
    reorder([1]),
    reorder([12]),
    reorder([1, 2], { comment: 'x' }),
    reorder([1, 2], { expectedRevision: 0 }),
    reorder([1, 2], { sequence: SCENES }),
  ],
  [
    move(1, { at: 'first' }),
    move(2, { at: 'first' }),
    move(1, { at: 'last' }),
    move(1, { at: 'before', elementId: 2 }),
    move(1, { at: 'after', elementId: 2 }),
    move(1, { at: 'position', position: 2 }),
    move(1, { at: 'first' }, { comment: 'x' }),
    move(1, { at: 'first' }, { expectedRevision: 0 }),
    move(1, { at: 'first' }, { sequence: SCENES }),
  ],
  [
    createVersion(1),
    createVersion(2),
    createVersion(1, { comment: 'x' }),
    createVersion(1, { content: '{}' }),
    createVersion(1, { expectedVersion: 1 }),
    createVersion(1, { expectedVersion: 2 }),
    createVersion(1, { sequence: SCENES }),
  ],
  [
    remove(1),
    remove(2),
    remove(1, { comment: 'x' }),
    remove(1, { expectedRevision: 0 }),
    remove(1, { sequence: SCENES }),
  ],
];

test('any change of any field is another request', () => {
  const writes = FAMILIES.flat();
  const hashes = new Map<string, Write>();
  for (const write of writes) {
    const hash = requestHash(write);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes.get(hash), JSON.stringify(write)).toBeUndefined();
    hashes.set(hash, write);
  }
});

test('every field of every kind is varied above', () => {
  for (const [first, ...others] of FAMILIES) {
    const varied = new Set<string>();
    for (const other of others)
      for (const key of new Set([...Object.keys(first!), ...Object.keys(other)]))
        if (JSON.stringify(first![key as keyof Write]) !== JSON.stringify(other[key as keyof Write]))
          varied.add(key);
    const constant = Object.keys(first!).filter((key) => !varied.has(key));
    // BatchGenerate has comments in its items only.
    expect(constant).toEqual(
      first!.kind === 'batch_generate' ? ['kind', 'caller', 'comment'] : ['kind', 'caller'],
    );
  }
});

test('request id and caller are the key, not the request', () => {
  for (const [write] of FAMILIES)
    expect(requestHash({ ...write!, requestId: 'x', caller: 'ann' })).toBe(requestHash(write!));
});

const UNSET: object = {
  target: undefined,
  expectedRevision: undefined,
  expectedVersion: undefined,
  requestId: undefined,
};

test('unset and default are the same; the order of a write’s own keys does not matter', () => {
  for (const write of FAMILIES.flat()) {
    const spelled = { ...UNSET, ...write };
    const reversed = Object.fromEntries(Object.entries(spelled).toReversed()) as unknown as Write;
    expect(requestHash(spelled)).toBe(requestHash(write));
    expect(requestHash(reversed)).toBe(requestHash(write));
  }
});

test('the order of keys in the content does not matter, its values do', () => {
  // Numeric keys stand first in any JavaScript object; __proto__ is a key as any other in a Struct.
  const entries = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 2 })), {
    minLength: 1,
    selector: ([key]) => key,
  });
  const hashOf = (entries: [string, unknown][]) =>
    requestHash(generate(1, { content: canonicalContent(Object.fromEntries(entries) as never) }));
  fc.assert(
    fc.property(entries, (entries) => {
      fc.pre(entries.every(([key]) => key.isWellFormed()));
      expect(hashOf(entries.toReversed())).toBe(hashOf(entries));
      const [[key], ...rest] = entries as [[string, unknown], ...[string, unknown][]];
      expect(hashOf([[key, 'another value, never generated by chance'], ...rest])).not.toBe(hashOf(entries));
    }),
  );
});
