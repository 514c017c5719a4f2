import type { JsonObject } from '@bufbuild/protobuf';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { MAX_ELEMENT_ID } from '../domain/model.ts';
import { PAGE_TOKEN_RULE } from '../domain/reader.ts';
import { canonicalContent, isStorableText, MAX_CONTENT_BYTES, MAX_CONTENT_DEPTH } from './content.ts';

/**
 * A field's rule. Its text stands word for word in the contract's comment (`Rule: …`) and behind the field's
 * name in the error that names it.
 */
export interface Rule {
  readonly text: string;
  /** Where the value breaks the rule: paths behind the field's name, '' for the field itself. */
  faults(value: never, message: Readonly<Record<string, unknown>>): readonly string[];
  /** Where it is no permutation, which has a reason of its own. */
  permutationFaults?(value: never, message: Readonly<Record<string, unknown>>): readonly string[];
}

/** Bytes of UTF-8 that a comment may have. */
export const MAX_COMMENT_BYTES = 4_096;
/** Elements that one BatchGenerate may have. */
export const MAX_BATCH_ITEMS = 1_000;
/** Elements that one Reorder may list. */
export const MAX_REORDER_IDS = 10_000;

/** Documents that one RetryParked may name. */
export const MAX_RETRY_IDS = 1_000;

const NO_FAULTS: readonly string[] = [];
const FAULT: readonly string[] = [''];

function rule<T>(
  text: string,
  holds: (value: T, message: Readonly<Record<string, unknown>>) => boolean,
): Rule {
  return { text, faults: (value: T, message) => (holds(value, message) ? NO_FAULTS : FAULT) } as Rule;
}

const NAMED_TYPES: ReadonlySet<ElementType> = new Set(
  Object.values(ElementType).filter((type) => typeof type === 'number' && type !== 0),
);
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

const MAX_ID = BigInt(MAX_ELEMENT_ID);
const isElementId = (id: bigint) => id >= 1n && id <= MAX_ID;

const SCOPE = rule<string>('must match [A-Za-z0-9._-]{1,64}, or be empty for "default"', (scope) =>
  /^[A-Za-z0-9._-]{0,64}$/.test(scope),
);
const ELEMENT_TYPE = rule<ElementType>('must be one of the named element types', (type) =>
  NAMED_TYPES.has(type),
);
const ELEMENT_ID = rule<bigint>(`must be from 1 to ${MAX_ELEMENT_ID}`, isElementId);
const ANCHOR = rule<bigint>(
  `must be from 1 to ${MAX_ELEMENT_ID}, and not the element itself`,
  (id, message) => isElementId(id) && id !== message['elementId'],
);
const COMMENT = rule<string>(
  `must be ${MAX_COMMENT_BYTES} bytes of UTF-8 at most, without NUL or unpaired surrogates`,
  // A UTF-16 code unit is three bytes of UTF-8 at most: most comments need no counting.
  (comment) =>
    (comment.length * 3 <= MAX_COMMENT_BYTES || Buffer.byteLength(comment) <= MAX_COMMENT_BYTES) &&
    isStorableText(comment),
);
const CONTENT = rule<JsonObject>(
  `must be ${MAX_CONTENT_BYTES} bytes of JSON at most, ${MAX_CONTENT_DEPTH} levels deep at most, its numbers finite, its strings and keys without NUL or unpaired surrogates`,
  (content) => canonicalContent(content) !== null,
);
const REQUEST_ID = rule<string>('must be empty or a UUID', (id) => id === '' || UUID.test(id));
const NOT_NEGATIVE = rule<bigint | number>('must be 0 or more', (value) => value >= 0);
const POSITIVE = rule<number>('must be 1 or more', (value) => value >= 1);
const TRUE = rule<boolean>('must be true when set', (value) => value);
const TARGET = rule<{ case: string | undefined }>('must be set', (target) => target.case !== undefined);
const PAGE_TOKEN = rule<string>(PAGE_TOKEN_RULE, (token) => token.length <= 256);

const NAMED_SCOPE = rule<string>('must match [A-Za-z0-9._-]{1,64}', (scope) =>
  /^[A-Za-z0-9._-]{1,64}$/.test(scope),
);
const DOCUMENT_IDS = rule<readonly string[]>(
  `must hold ${MAX_RETRY_IDS} document ids at most, and some unless \`all\` is set`,
  (ids, message) => ids.length <= MAX_RETRY_IDS && (ids.length > 0 || message['all'] === true),
);
const ALL = rule<boolean>(
  'must not be set together with document_ids',
  (all, message) => !all || (message['documentIds'] as readonly string[]).length === 0,
);

const ITEMS = rule<readonly unknown[]>(
  `must hold from 1 to ${MAX_BATCH_ITEMS} items`,
  (items) => items.length >= 1 && items.length <= MAX_BATCH_ITEMS,
);
const ITEM_ID: Rule = { ...ELEMENT_ID, text: `${ELEMENT_ID.text}, each once` };

const NEW_ORDER: Rule = {
  text: `must hold from 1 to ${MAX_REORDER_IDS} ids from 1 to ${MAX_ELEMENT_ID}, each once`,
  faults: (ids: readonly bigint[]) => {
    if (ids.length < 1 || ids.length > MAX_REORDER_IDS) return FAULT;
    if (ids.every(isElementId)) return NO_FAULTS;
    return ids.flatMap((id, index) => (isElementId(id) ? [] : [`[${index}]`]));
  },
  permutationFaults: (ids: readonly bigint[]) => repeated(ids),
};
const ELEMENT_IDS: Rule = {
  text: 'must be empty or the same set of ids as new_order',
  faults: () => NO_FAULTS,
  permutationFaults: (ids: readonly bigint[], message) => {
    const order = message['newOrder'] as readonly bigint[];
    if (ids.length === 0 || isSameSet(ids, order)) return NO_FAULTS;
    const set = new Set(ids);
    return ids.length === order.length && set.size === ids.length && order.every((id) => set.has(id))
      ? NO_FAULTS
      : FAULT;
  },
};

/** Where an id stands that stood before. */
export function repeated(ids: readonly bigint[]): string[] {
  if (isAscending(sorted(ids))) return [];
  const seen = new Set<bigint>();
  return ids.flatMap((id, index) => {
    if (seen.has(id)) return [`[${index}]`];
    seen.add(id);
    return [];
  });
}

/** Whether both hold the same ids, each once. */
function isSameSet(ids: readonly bigint[], others: readonly bigint[]): boolean {
  if (ids.length !== others.length) return false;
  const [one, other] = [sorted(ids), sorted(others)];
  return isAscending(one) && one.every((id, index) => id === other[index]);
}

// Nearly every list is as it should be, and by sorting that is found out several times as fast as by a Set.
function sorted(ids: readonly bigint[]): BigInt64Array {
  return new BigInt64Array(ids).sort();
}

function isAscending(ids: BigInt64Array): boolean {
  return ids.every((id, index) => index === 0 || id > ids[index - 1]!);
}

const SEQUENCE = { scope: SCOPE, element_type: ELEMENT_TYPE };
const TARGETS = { before: ANCHOR, after: ANCHOR, first: TRUE, last: TRUE };
const PAGE = { page_size: NOT_NEGATIVE, page_token: PAGE_TOKEN };

/** The rules by message and field, as the contract names them. A field without a rule takes any value of its type. */
export const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  GenerateRequest: {
    ...SEQUENCE,
    element_id: ELEMENT_ID,
    comment: COMMENT,
    content: CONTENT,
    request_id: REQUEST_ID,
    expected_revision: NOT_NEGATIVE,
    ...TARGETS,
  },
  BatchGenerateRequest: {
    ...SEQUENCE,
    items: ITEMS,
    request_id: REQUEST_ID,
    expected_revision: NOT_NEGATIVE,
  },
  'BatchGenerateRequest.Item': { element_id: ITEM_ID, comment: COMMENT, content: CONTENT },
  ReorderRequest: {
    ...SEQUENCE,
    element_ids: ELEMENT_IDS,
    new_order: NEW_ORDER,
    comment: COMMENT,
    request_id: REQUEST_ID,
    expected_revision: NOT_NEGATIVE,
  },
  MoveRequest: {
    ...SEQUENCE,
    element_id: ELEMENT_ID,
    target: TARGET,
    ...TARGETS,
    comment: COMMENT,
    request_id: REQUEST_ID,
    expected_revision: NOT_NEGATIVE,
  },
  CreateVersionRequest: {
    ...SEQUENCE,
    element_id: ELEMENT_ID,
    comment: COMMENT,
    content: CONTENT,
    request_id: REQUEST_ID,
    expected_version: POSITIVE,
  },
  RemoveRequest: {
    ...SEQUENCE,
    element_id: ELEMENT_ID,
    comment: COMMENT,
    request_id: REQUEST_ID,
    expected_revision: NOT_NEGATIVE,
  },
  GetElementRequest: { ...SEQUENCE, element_id: ELEMENT_ID },
  GetVersionRequest: { ...SEQUENCE, element_id: ELEMENT_ID, version_number: POSITIVE },
  ListElementsRequest: { ...SEQUENCE, start_sequence_number: NOT_NEGATIVE, ...PAGE },
  ListVersionsRequest: { ...SEQUENCE, element_id: ELEMENT_ID, ...PAGE },
  GetSequenceRequest: SEQUENCE,
  ListParkedRequest: PAGE,
  RetryParkedRequest: { document_ids: DOCUMENT_IDS, all: ALL },
  ResyncRequest: { scope: NAMED_SCOPE, element_type: ELEMENT_TYPE },
  WaitForSyncRequest: { ...SEQUENCE, revision: NOT_NEGATIVE },
};
