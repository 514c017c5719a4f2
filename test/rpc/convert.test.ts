import { create, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ElementSchema,
  ElementType,
  ReorderResponse_ReorderedElementSchema,
  VersionSchema,
} from '../../gen/fountain/sequence/v1/sequence_pb.js';
import {
  fromElementAnswer,
  fromElementRead,
  fromMovedElements,
  fromRevisions,
  fromShiftedRange,
  fromVersionRead,
  toContent,
  toRequestId,
  toRevision,
  toSequenceKey,
  toTarget,
} from '../../src/rpc/convert.ts';

// 2026-11-24T03:00:00.123456Z in microseconds.
const TIME = Date.UTC(2026, 10, 24, 3) * 1000 + 123_456;
const ANSWER = {
  elementId: Number.MAX_SAFE_INTEGER,
  sequenceNumber: 2,
  versionNumber: 3,
  comment: 'c',
  createTime: TIME,
  updateTime: TIME + 1,
};

describe('element types', () => {
  test.each([
    [ElementType.SCRIPT, 'script', 'ELEMENT_TYPE_SCRIPT'],
    [ElementType.SECTION, 'section', 'ELEMENT_TYPE_SECTION'],
    [ElementType.CHARACTER, 'character', 'ELEMENT_TYPE_CHARACTER'],
    [ElementType.ACTION, 'action', 'ELEMENT_TYPE_ACTION'],
    [ElementType.SPOKEN_WORD, 'spokenWord', 'ELEMENT_TYPE_SPOKEN_WORD'],
  ] as const)('%i is %s, there and back', (elementType, word, name) => {
    const key = toSequenceKey({ scope: 's', elementType });
    expect(key).toEqual({ scope: 's', elementType: word });
    expect(toJson(ElementSchema, fromElementAnswer(key, ANSWER))).toMatchObject({
      elementType: name,
      scope: 's',
    });
  });

  test('an empty scope is "default"', () => {
    expect(toSequenceKey({ scope: '', elementType: ElementType.SCRIPT }).scope).toBe('default');
  });
});

test('an element as a write answers it has no content', () => {
  expect(toJson(ElementSchema, fromElementAnswer({ scope: 's', elementType: 'action' }, ANSWER))).toEqual({
    scope: 's',
    elementType: 'ELEMENT_TYPE_ACTION',
    elementId: '9007199254740991',
    sequenceNumber: 2,
    versionNumber: 3,
    comment: 'c',
    createTime: '2026-11-24T03:00:00.123456Z',
    updateTime: '2026-11-24T03:00:00.123457Z',
  });
});

test('content: none, empty and some are three things', () => {
  const read = (content: string | null) =>
    fromElementRead({ scope: 's', elementType: 'script' }, { ...ANSWER, content });
  expect(read(null).content).toBeUndefined();
  expect(read('{}').content).toEqual({});
  expect(read('{"a":[1,null]}').content).toEqual({ a: [1, null] });
  expect(toContent(undefined)).toBeNull();
  expect(toContent({})).toBe('{}');
  const version = { versionNumber: 1, sequenceNumber: 2, comment: '', createTime: TIME };
  expect(fromVersionRead({ ...version, content: null }).content).toBeUndefined();
  expect(toJson(VersionSchema, fromVersionRead({ ...version, content: '{"a":1}' }))).toEqual({
    versionNumber: 1,
    sequenceNumber: 2,
    content: { a: 1 },
    createTime: '2026-11-24T03:00:00.123456Z',
  });
});

test('targets', () => {
  expect(toTarget({ case: undefined })).toBeUndefined();
  expect(toTarget({ case: 'before', value: 7n })).toEqual({ at: 'before', elementId: 7 });
  expect(toTarget({ case: 'after', value: 8n })).toEqual({ at: 'after', elementId: 8 });
  expect(toTarget({ case: 'first', value: true })).toEqual({ at: 'first' });
  expect(toTarget({ case: 'last', value: true })).toEqual({ at: 'last' });
  expect(toTarget({ case: 'position', value: 0 })).toEqual({ at: 'position', position: 0 });
});

test('request ids, revisions and ranges', () => {
  expect(toRequestId('')).toBeUndefined();
  expect(toRequestId('0B0E4C3E-5A52-4B39-9F0A-6F3A54B7C001')).toBe('0b0e4c3e-5a52-4b39-9f0a-6f3a54b7c001');
  expect(toRevision(undefined)).toBeUndefined();
  expect(toRevision(0n)).toBe(0);
  expect(fromRevisions({ revision: 5, orderRevision: 4 })).toEqual({ revision: 5n, orderRevision: 4n });
  expect(fromShiftedRange(null)).toEqual({});
  expect(fromShiftedRange({ first: 1, last: 2, by: -1 }).shifted).toMatchObject({
    first: 1,
    last: 2,
    by: -1,
  });
});

test('times keep every microsecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e15 }), (createTime) => {
      const element = fromElementAnswer({ scope: 's', elementType: 'script' }, { ...ANSWER, createTime });
      const { seconds, nanos } = element.createTime!;
      expect(nanos).toBeGreaterThanOrEqual(0);
      expect(seconds * 1_000_000n + BigInt(nanos) / 1000n).toBe(BigInt(createTime));
    }),
    { seed: 1 },
  );
});

test('moved elements are the messages that `create` makes', () => {
  const moved = { elementIds: [Number.MAX_SAFE_INTEGER, 1], oldNumbers: [1, 2], newNumbers: [2, 1] };
  expect(fromMovedElements(moved)).toStrictEqual([
    create(ReorderResponse_ReorderedElementSchema, {
      elementId: BigInt(Number.MAX_SAFE_INTEGER),
      oldSequenceNumber: 1,
      newSequenceNumber: 2,
    }),
    create(ReorderResponse_ReorderedElementSchema, {
      elementId: 1n,
      oldSequenceNumber: 2,
      newSequenceNumber: 1,
    }),
  ]);
});
