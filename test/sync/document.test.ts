import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ELEMENT_TYPES } from '../../src/domain/model.ts';
import { documentId, documentJson, parseDocumentId } from '../../src/sync/document.ts';

const name = fc.record({
  scope: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
  elementType: fc.constantFrom(...ELEMENT_TYPES),
  elementId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  versionNumber: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

test('an id names its document, and no other', () => {
  fc.assert(
    fc.property(name, (one) => {
      expect(parseDocumentId(documentId(one))).toEqual(one);
    }),
  );
});

test('two documents never share an id', () => {
  fc.assert(
    fc.property(name, name, (one, other) => {
      const same =
        JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
      expect(documentId(one) === documentId(other)).toBe(same);
    }),
  );
});

test('a scope may look like an id', () => {
  const scope = 'a_section_1_1';
  const one = { scope, elementType: 'action', elementId: 2, versionNumber: 3 } as const;
  expect(parseDocumentId(documentId(one))).toEqual(one);
});

test.each([
  '',
  'play',
  'play_section_1',
  'play_section_1_',
  'play_section_0_1',
  'play_section_1_0',
  'play_section_01_1',
  'play_section_1_1\n',
  '_section_1_1',
  'play_Section_1_1',
  'pl/ay_section_1_1',
  `${'x'.repeat(65)}_section_1_1`,
])('%j is none', (id) => {
  expect(parseDocumentId(id)).toBeUndefined();
});

test('the string leaves of the content are its text, in their order', () => {
  const due = { scope: 's', elementType: 'script', elementId: 1, versionNumber: 2, sequenceId: 1 } as const;
  const content = { title: 'a', n: 1, deep: [true, null, ['b', { c: 'd', e: '' }]] };
  const state = {
    isLatest: false,
    sequenceNumber: 4,
    comment: 'c',
    content: JSON.stringify(content),
    createTime: 1_999,
  };
  const context = { serviceName: 'me', generation: 7 };
  expect(
    JSON.parse(
      documentJson({ ...due, mark: '', wantedRevision: 1, sinceTime: 0, attempts: 0 }, state, context),
    ),
  ).toEqual({
    id: 's_script_1_2',
    scope: 's',
    element_type: 'script',
    element_id: 1,
    sequence_number: 4,
    version_number: 2,
    comment: 'c',
    content,
    text: 'a\nb\nd\n',
    is_latest: false,
    service_name: 'me',
    sync_generation: 7,
    updated_at: 1,
  });
});

test('a document is one line of JSON, whatever is in it', () => {
  const due = { mark: '', wantedRevision: 1, sinceTime: 0, attempts: 0, sequenceId: 1 };
  const state = { isLatest: true, sequenceNumber: 4, createTime: 1_999 };
  const context = { serviceName: 'a "b"', generation: 1 };
  const content = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme' }));
  fc.assert(
    fc.property(name, fc.string({ unit: 'grapheme' }), fc.option(content), (one, comment, value) => {
      const stored = value === null ? null : JSON.stringify(value);
      const line = documentJson({ ...one, ...due }, { ...state, comment, content: stored }, context);
      expect(line).not.toMatch(/[\r\n]/);
      const read = JSON.parse(line) as { id: string; comment: string; content?: unknown };
      expect([read.id, read.comment, read.content]).toEqual([
        documentId(one),
        comment,
        stored === null ? undefined : JSON.parse(stored),
      ]);
    }),
  );
});
