import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Method } from '../support/wire.ts';

/** What the database holds before a bad message comes, and tokens that belong to it. */
export interface Stage {
  /** A token of ListElements of scope `play`, page_size 1. */
  readonly elementsToken: string;
  /** A token of ListVersions of element 3 in an earlier life of it. */
  readonly otherLifeToken: string;
}

/** A message that can be decoded but must be refused. */
export interface BadMessage {
  readonly name: string;
  readonly method: Method;
  readonly message: JsonObject | ((stage: Stage) => JsonObject);
  readonly code: string;
  readonly reason: string;
  /** For INVALID_FIELD and NOT_A_PERMUTATION: every faulty field, in the contract's spelling. */
  readonly fields?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The request id with which element 1 was generated. */
export const USED_REQUEST_ID = '0b0e4c3e-5a52-4b39-9f0a-6f3a54b7c001';

/** Scripts 1 to 5 in their order, at revision 11 and order revision 9; 2 and 3 have versions 1 and 2. */
export const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' } as const;

export const MAX_ID = '9007199254740991';
const OVER_MAX_ID = '9007199254740992';

/** An object nested `depth` levels deep: `{"a":{"a":…}}`, lists in between. */
export function nested(depth: number): JsonObject {
  let value: JsonValue = 'leaf';
  for (let level = depth; level > 1; level--) value = level % 2 === 0 ? [value] : { a: value };
  return { a: value };
}

/** Content whose canonical JSON has exactly this many bytes. */
export function contentOf(bytes: number): JsonObject {
  return { a: 'x'.repeat(bytes - '{"a":""}'.length) };
}

function invalid(
  name: string,
  method: Method,
  message: BadMessage['message'],
  ...fields: string[]
): BadMessage {
  return { name, method, message, code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', fields };
}

const write = (more: JsonObject = {}): JsonObject => ({ ...AT, elementId: '9', ...more });
const move = (more: JsonObject): JsonObject => ({ ...AT, elementId: '2', ...more });
const TYPED: readonly Method[] = [
  'Generate',
  'BatchGenerate',
  'Reorder',
  'Move',
  'CreateVersion',
  'Remove',
  'GetElement',
  'GetVersion',
  'ListElements',
  'ListVersions',
  'GetSequence',
];
/** A good message for each method, as far as the fields that all have are concerned. */
const GOOD: Readonly<Record<string, JsonObject>> = {
  Generate: write(),
  BatchGenerate: { ...AT, items: [{ elementId: '9' }] },
  Reorder: { ...AT, newOrder: ['2', '1'] },
  Move: move({ first: true }),
  CreateVersion: { ...AT, elementId: '1' },
  Remove: { ...AT, elementId: '1' },
  GetElement: { ...AT, elementId: '1' },
  GetVersion: { ...AT, elementId: '1', versionNumber: 1 },
  ListElements: AT,
  ListVersions: { ...AT, elementId: '1' },
  GetSequence: AT,
};
const WITH_ID = ['Generate', 'Move', 'CreateVersion', 'Remove', 'GetElement', 'GetVersion', 'ListVersions'];

const everyMethod = TYPED.flatMap((method) => [
  invalid('type not given', method, { ...GOOD[method], elementType: 0 }, 'element_type'),
  invalid('unknown type', method, { ...GOOD[method], elementType: 6 }, 'element_type'),
  invalid('scope with a slash', method, { ...GOOD[method], scope: 'a/b' }, 'scope'),
]);

const everyId = WITH_ID.flatMap((method) =>
  ['0', '-1', OVER_MAX_ID, '-9223372036854775808', '9223372036854775807'].map((elementId) =>
    invalid(`id ${elementId}`, method, { ...GOOD[method], elementId }, 'element_id'),
  ),
);

const fields = [
  invalid('scope of 65 characters', 'Generate', write({ scope: 'x'.repeat(65) }), 'scope'),
  invalid('scope with a line feed at its end', 'Generate', write({ scope: 'play\n' }), 'scope'),
  invalid('scope not ASCII', 'Generate', write({ scope: 'ä' }), 'scope'),
  invalid('comment of 4097 bytes', 'Generate', write({ comment: 'x'.repeat(4097) }), 'comment'),
  invalid('comment of 4098 bytes in 1366', 'Remove', move({ comment: '€'.repeat(1366) }), 'comment'),
  invalid('comment with NUL', 'CreateVersion', move({ comment: 'a\0b' }), 'comment'),
  invalid('content of 262145 bytes', 'Generate', write({ content: contentOf(262_145) }), 'content'),
  invalid(
    'content of too many bytes',
    'CreateVersion',
    move({ content: { a: '€'.repeat(90_000) } }),
    'content',
  ),
  invalid('content 33 levels deep', 'Generate', write({ content: nested(33) }), 'content'),
  invalid('content with NUL', 'Generate', write({ content: { a: ['x\0'] } }), 'content'),
  invalid('content with NUL in a key', 'Generate', write({ content: { a: { 'x\0': 1 } } }), 'content'),
  invalid('request id of another form', 'Generate', write({ requestId: 'once' }), 'request_id'),
  invalid('request id in braces', 'Remove', move({ requestId: `{${USED_REQUEST_ID}}` }), 'request_id'),
  invalid('expected revision below 0', 'Generate', write({ expectedRevision: '-1' }), 'expected_revision'),
  invalid('expected version 0', 'CreateVersion', move({ expectedVersion: 0 }), 'expected_version'),
  invalid('version 0', 'GetVersion', move({ versionNumber: 0 }), 'version_number'),
  invalid('start below 0', 'ListElements', { ...AT, startSequenceNumber: -1 }, 'start_sequence_number'),
  invalid('elements, page size below 0', 'ListElements', { ...AT, pageSize: -1 }, 'page_size'),
  invalid('versions, page size below 0', 'ListVersions', move({ pageSize: -1 }), 'page_size'),
  invalid(
    'several at once',
    'Generate',
    { scope: '?', elementId: '0', comment: '\0', requestId: '1' },
    'scope',
    'element_type',
    'element_id',
    'comment',
    'request_id',
  ),
];

const tokens = [
  invalid('malformed page token', 'ListElements', { ...AT, pageToken: '!' }, 'page_token'),
  invalid('page token of no JSON', 'ListVersions', move({ pageToken: 'AAAA' }), 'page_token'),
  invalid('page token of a megabyte', 'ListElements', { ...AT, pageToken: 'A'.repeat(1e6) }, 'page_token'),
  invalid(
    'page token of another scope',
    'ListElements',
    ({ elementsToken }) => ({ ...AT, scope: 'other', pageToken: elementsToken }),
    'page_token',
  ),
  invalid(
    'page token of another start',
    'ListElements',
    ({ elementsToken }) => ({ ...AT, startSequenceNumber: 2, pageToken: elementsToken }),
    'page_token',
  ),
  invalid(
    'page token of a list without content',
    'ListElements',
    ({ elementsToken }) => ({ ...AT, includeContent: true, pageToken: elementsToken }),
    'page_token',
  ),
  invalid(
    'page token of another method',
    'ListVersions',
    ({ elementsToken }) => ({ ...AT, elementId: '3', pageToken: elementsToken }),
    'page_token',
  ),
  invalid(
    'page token of another element',
    'ListVersions',
    ({ otherLifeToken }) => ({ ...AT, elementId: '2', pageToken: otherLifeToken }),
    'page_token',
  ),
  invalid(
    'page token of another life',
    'ListVersions',
    ({ otherLifeToken }) => ({ ...AT, elementId: '3', pageToken: otherLifeToken }),
    'page_token',
  ),
];

const items = (count: number) => Array.from({ length: count }, (_, i) => ({ elementId: `${100 + i}` }));
const lists = [
  invalid('no items', 'BatchGenerate', AT, 'items'),
  invalid('1001 items', 'BatchGenerate', { ...AT, items: items(1001) }, 'items'),
  invalid(
    'an item twice',
    'BatchGenerate',
    { ...AT, items: [{ elementId: '8' }, { elementId: '9' }, { elementId: '8' }] },
    'items[2].element_id',
  ),
  invalid(
    'faulty items',
    'BatchGenerate',
    {
      ...AT,
      items: [
        { elementId: '8', comment: '\0' },
        { elementId: '0', content: { a: '\0' } },
      ],
    },
    'items[0].comment',
    'items[1].element_id',
    'items[1].content',
  ),
  invalid('no ids', 'Reorder', AT, 'new_order'),
  invalid(
    '10001 ids',
    'Reorder',
    { ...AT, newOrder: items(10_001).map(({ elementId }) => elementId) },
    'new_order',
  ),
  invalid(
    'ids out of range',
    'Reorder',
    { ...AT, newOrder: ['1', '0', OVER_MAX_ID] },
    'new_order[1]',
    'new_order[2]',
  ),
];

const permutation = (name: string, message: JsonObject, ...faulty: string[]): BadMessage => ({
  ...invalid(name, 'Reorder', { ...AT, ...message }, ...faulty),
  reason: 'NOT_A_PERMUTATION',
});
const permutations = [
  permutation('an id twice', { newOrder: ['1', '2', '1'] }, 'new_order[2]'),
  permutation('element_ids lack one', { elementIds: ['1'], newOrder: ['2', '1'] }, 'element_ids'),
  permutation(
    'element_ids have one more',
    { elementIds: ['1', '2', '3'], newOrder: ['2', '1'] },
    'element_ids',
  ),
  permutation('element_ids differ', { elementIds: ['1', '3'], newOrder: ['2', '1'] }, 'element_ids'),
  permutation('element_ids with one twice', { elementIds: ['1', '1'], newOrder: ['2', '1'] }, 'element_ids'),
];

const targets = [
  invalid('no target', 'Move', move({}), 'target'),
  invalid('before itself', 'Move', move({ before: '2' }), 'before'),
  invalid('after itself', 'Move', move({ after: '2' }), 'after'),
  invalid('before 0', 'Move', move({ before: '0' }), 'before'),
  invalid('first: false', 'Move', move({ first: false }), 'first'),
  invalid('last: false', 'Generate', write({ last: false }), 'last'),
  invalid('before itself', 'Generate', write({ before: '9' }), 'before'),
];

const rule = (
  code: string,
  reason: string,
  name: string,
  method: Method,
  message: JsonObject,
  metadata: Readonly<Record<string, string>> = {},
): BadMessage => ({ name, method, message, code, reason, metadata });
const position = (name: string, method: Method, message: JsonObject, last: string) =>
  rule('OUT_OF_RANGE', 'POSITION_OUT_OF_RANGE', name, method, message, { last });
const missing = (name: string, method: Method, message: JsonObject, ids: string) =>
  rule('NOT_FOUND', 'ELEMENT_NOT_FOUND', name, method, message, { element_ids: ids });
const current = { revision: '11', order_revision: '9' };
const stale = (name: string, method: Method, message: JsonObject) =>
  rule('ABORTED', 'REVISION_MISMATCH', name, method, message, current);
const reused = (name: string, method: Method, message: JsonObject) =>
  rule(
    'INVALID_ARGUMENT',
    'REQUEST_ID_REUSED',
    name,
    method,
    { ...message, requestId: USED_REQUEST_ID },
    {
      request_id: USED_REQUEST_ID,
    },
  );

const judged = [
  position('position 0', 'Move', move({ position: 0 }), '5'),
  position('position -1', 'Move', move({ position: -1 }), '5'),
  position('position n+1', 'Move', move({ position: 6 }), '5'),
  position('position n+2', 'Generate', write({ position: 7 }), '6'),
  position('position 0', 'Generate', write({ position: 0 }), '6'),
  missing('before an unknown element', 'Move', move({ before: '77' }), '77'),
  missing('an unknown element', 'Move', { ...AT, elementId: '77', after: '78' }, '77,78'),
  missing('after an unknown element', 'Generate', write({ after: MAX_ID }), MAX_ID),
  missing('ids that are missing', 'Reorder', { ...AT, newOrder: ['1', '77', '2', '78'] }, '77,78'),
  missing('an unknown element', 'CreateVersion', { ...AT, elementId: '77' }, '77'),
  missing('an unknown element', 'Remove', { ...AT, elementId: '77' }, '77'),
  missing('an unknown element', 'GetElement', { ...AT, elementId: '77' }, '77'),
  missing('an unknown element', 'GetVersion', { ...AT, elementId: '77', versionNumber: 1 }, '77'),
  missing('an unknown element', 'ListVersions', { ...AT, elementId: '77' }, '77'),
  missing('a sequence never used', 'Remove', { ...AT, scope: 'unused', elementId: '1' }, '1'),
  rule('NOT_FOUND', 'VERSION_NOT_FOUND', 'an unknown version', 'GetVersion', move({ versionNumber: 3 })),
  rule('ALREADY_EXISTS', 'ELEMENT_EXISTS', 'there already', 'Generate', move({}), {
    element_ids: '2',
    sequence_numbers: '2',
  }),
  rule('ALREADY_EXISTS', 'ELEMENT_EXISTS', 'there already, at a target', 'Generate', move({ first: true }), {
    element_ids: '2',
    sequence_numbers: '2',
  }),
  rule('ALREADY_EXISTS', 'ELEMENT_EXISTS', 'some there already', 'BatchGenerate', {
    ...AT,
    items: [{ elementId: '9' }, { elementId: '5' }, { elementId: '4' }],
  }),
  stale('stale revision', 'Generate', write({ expectedRevision: '8' })),
  stale('future revision', 'Generate', write({ expectedRevision: '12' })),
  stale('untouched expected', 'BatchGenerate', { ...AT, items: [{ elementId: '9' }], expectedRevision: '0' }),
  stale('stale revision', 'Reorder', { ...AT, newOrder: ['2', '1'], expectedRevision: '8' }),
  stale('stale revision', 'Move', move({ first: true, expectedRevision: '8' })),
  stale('future revision', 'Move', move({ first: true, expectedRevision: '9223372036854775807' })),
  stale('stale revision', 'Remove', move({ expectedRevision: '8' })),
  rule('ABORTED', 'VERSION_MISMATCH', 'stale version', 'CreateVersion', move({ expectedVersion: 1 }), {
    version_number: '2',
  }),
  rule('ABORTED', 'VERSION_MISMATCH', 'future version', 'CreateVersion', move({ expectedVersion: 3 }), {
    version_number: '2',
  }),
  reused('request id of another message', 'Generate', { ...AT, elementId: '1', comment: 'other' }),
  reused('request id of another element', 'Generate', write()),
  reused('request id of another method', 'Remove', { ...AT, elementId: '1' }),
];

/** Every message of the section "Bad input" that is about what a message says. */
export const BAD_MESSAGES: readonly BadMessage[] = [
  ...everyMethod,
  ...everyId,
  ...fields,
  ...tokens,
  ...lists,
  ...permutations,
  ...targets,
  ...judged,
];
