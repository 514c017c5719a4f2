import { fromJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { loadConfig } from '../../src/config.ts';
import { InvalidFieldError } from '../../src/domain/errors.ts';
import { MAX_ELEMENT_ID } from '../../src/domain/model.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_BYTES, MAX_PAGE_SIZE } from '../../src/domain/reader.ts';
import { MAX_CONTENT_BYTES, MAX_CONTENT_DEPTH } from '../../src/rpc/content.ts';
import { CODES, ERROR_DOMAIN } from '../../src/rpc/errors.ts';
import { MAX_BATCH_ITEMS, MAX_COMMENT_BYTES, MAX_REORDER_IDS, RULES } from '../../src/rpc/rules.ts';
import { compileValidator, ruleName } from '../../src/rpc/validate.ts';
import { readContract } from '../support/contract.ts';
import { BAD_MESSAGES } from './bad-messages.ts';

const contract = readContract();
const READS = [
  'GetElement',
  'GetVersion',
  'ListElements',
  'ListVersions',
  'GetSequence',
  'GetSyncStatus',
  'ListParked',
  'WaitForSync',
];

/** The one request that has no fields. */
const EMPTY = 'GetSyncStatusRequest';

describe('rules', () => {
  const inputs = contract.messages.filter(({ name }) => /^\w+Request(\.|$)/.test(name) && name !== EMPTY);

  test('every message with rules is one that is sent', () => {
    expect(inputs.map(({ name }) => name).sort()).toEqual(Object.keys(RULES).sort());
  });

  test.each(inputs)('$name: a comment says `Rule:` where there is a rule, in its words', (message) => {
    const inContract = Object.fromEntries(
      message.members.map(({ name, comment }) => [name, comment.match(/^ Rule: .*$/gm) ?? []]),
    );
    const inCode = Object.fromEntries(
      message.members.map(({ name }) => {
        const rule = RULES[message.name]?.[name];
        return [name, rule ? [` Rule: ${rule.text}`] : []];
      }),
    );
    expect(inContract).toEqual(inCode);
    expect(Object.keys(inCode)).toEqual(expect.arrayContaining(Object.keys(RULES[message.name]!)));
  });

  test('no other comment has a rule', () => {
    const count = inputs.flatMap(({ name }) => Object.keys(RULES[name]!)).length;
    expect(contract.text.match(/\bRule: /g)).toHaveLength(count);
  });

  const broken = BAD_MESSAGES.filter(({ fields, message }) => fields && typeof message === 'object');
  test.each(broken)(
    'a violation says the words of its rule: $method, $name',
    ({ method, message, fields }) => {
      const { input } = SequenceService.methods.find(({ name }) => name === method)!;
      if (JSON.stringify(message).includes('"pageToken"')) return;
      const error = errorOf(() => compileValidator(input)!(fromJson(input, message as never)));
      expect(error).toBeInstanceOf(InvalidFieldError);
      const { violations } = error as InvalidFieldError;
      expect(violations.map(({ field }) => field)).toEqual(fields);
      for (const { field, description } of violations) {
        const [last, ...path] = field
          .replace(/\[\d+\]/g, '')
          .split('.')
          .reverse();
        const rules = RULES[path.length === 0 ? ruleName(input) : `${ruleName(input)}.Item`]!;
        expect(description).toBe(rules[last!]!.text);
      }
    },
  );
});

test('every number in a comment is a limit of the code', () => {
  const { server, writer } = loadConfig({});
  const limits = new Set([
    MAX_ELEMENT_ID,
    MAX_COMMENT_BYTES,
    MAX_CONTENT_BYTES,
    MAX_CONTENT_DEPTH,
    MAX_BATCH_ITEMS,
    MAX_REORDER_IDS,
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    MAX_PAGE_BYTES,
    server.maxBodyBytes,
    server.defaultDeadlineMs / 1000,
    writer.maxRenumber,
  ]);
  expect([...limits].sort()).toEqual(
    [9007199254740991, 4096, 262144, 32, 1000, 10000, 50, 2097152, 4194304, 30, 100000].sort(),
  );
  // The characters of a scope, and the hours for which request ids are kept, are no constants.
  const others = new Set([64, 24]);
  const comments = contract.text.match(/\/\/.*/g)!.join('\n');
  const numbers = new Set((comments.match(/\b\d{2,}\b/g) ?? []).map(Number));
  expect([...numbers].filter((number) => !others.has(number)).sort()).toEqual([...limits].sort());
});

describe('methods', () => {
  test.each(contract.methods)(
    '$name: example, errors, side effects',
    ({ name, service, comment, hasNoSideEffects }) => {
      expect(comment).toMatch(/^ Example: /m);
      expect(hasNoSideEffects).toBe(READS.includes(name));
      if (service !== 'SequenceService') return;
      const raises = BAD_MESSAGES.filter(
        ({ method, reason }) => method === name && !GENERAL_REASONS.includes(reason),
      ).map(({ reason }) => reason);
      const errors = comment.match(/^ Errors: [\s\S]*?(?=\n\n| Example:)/m)?.[0] ?? '';
      for (const reason of raises) expect(errors).toContain(reason);
      expect(errors === '').toBe(raises.length === 0);
    },
  );

  // What the contract's head names for every method, or for every write.
  const GENERAL_REASONS = ['INVALID_FIELD', 'REQUEST_ID_REUSED'];
});

describe('reasons', () => {
  const words = [
    ...new Set(
      contract.text.match(
        /\b[A-Z]+(_[A-Z]+)+\b|\b(CANCELLED|INTERNAL|DRAINING|OVERLOADED|UNAUTHENTICATED)\b/g,
      ),
    ),
  ];
  const CODE_WORDS = [
    'INVALID_ARGUMENT',
    'OUT_OF_RANGE',
    'NOT_FOUND',
    'ALREADY_EXISTS',
    'FAILED_PRECONDITION',
    'RESOURCE_EXHAUSTED',
  ];

  test('the contract names every reason that there is, and no other', () => {
    const named = words.filter(
      (word) =>
        !/^ELEMENT_TYPE|^NO_SIDE_EFFECTS$|^(MAX_RENUMBER|MAX_BODY_BYTES|RATE_LIMIT)$/.test(word) &&
        !CODE_WORDS.includes(word),
    );
    expect(named.sort()).toEqual(Object.keys(CODES).sort());
  });

  test('the code behind each reason is the one of the table', () => {
    const pairs = contract.text.replace(/\n *\/\/ ?/g, ' ').matchAll(/\b([A-Z_]{6,}) \(([A-Z_]{6,})\b/g);
    const found = [...pairs].map(([, reason, code]) => [reason, code] as const);
    expect(found.length).toBeGreaterThan(20);
    for (const [reason, code] of found) expect([reason, CODE_NAMES[reason!]]).toEqual([reason, code]);
  });

  test('the domain of the errors', () => {
    expect(contract.text).toContain(`domain "${ERROR_DOMAIN}"`);
  });

  // DESIGN.md, section 4, "Errors"; gRPC's numbers.
  const NUMBERS: Readonly<Record<string, number>> = {
    CANCELLED: 1,
    INVALID_ARGUMENT: 3,
    DEADLINE_EXCEEDED: 4,
    NOT_FOUND: 5,
    ALREADY_EXISTS: 6,
    RESOURCE_EXHAUSTED: 8,
    FAILED_PRECONDITION: 9,
    ABORTED: 10,
    OUT_OF_RANGE: 11,
    INTERNAL: 13,
    UNAVAILABLE: 14,
    PERMISSION_DENIED: 7,
    UNAUTHENTICATED: 16,
  };
  const CODE_NAMES = Object.fromEntries(
    Object.entries(CODES).map(([reason, code]) => [
      reason,
      Object.keys(NUMBERS).find((name) => NUMBERS[name] === Number(code)),
    ]),
  );

  test('the table is the design’s', () => {
    expect(CODE_NAMES).toEqual({
      INVALID_FIELD: 'INVALID_ARGUMENT',
      REQUEST_ID_REUSED: 'INVALID_ARGUMENT',
      NOT_A_PERMUTATION: 'INVALID_ARGUMENT',
      POSITION_OUT_OF_RANGE: 'OUT_OF_RANGE',
      ELEMENT_NOT_FOUND: 'NOT_FOUND',
      VERSION_NOT_FOUND: 'NOT_FOUND',
      ELEMENT_EXISTS: 'ALREADY_EXISTS',
      REVISION_MISMATCH: 'ABORTED',
      VERSION_MISMATCH: 'ABORTED',
      TOO_MANY_RENUMBERED: 'FAILED_PRECONDITION',
      DOCUMENT_PARKED: 'FAILED_PRECONDITION',
      SYNC_DISABLED: 'FAILED_PRECONDITION',
      UNAUTHENTICATED: 'UNAUTHENTICATED',
      PERMISSION_DENIED: 'PERMISSION_DENIED',
      OVERLOADED: 'RESOURCE_EXHAUSTED',
      AUTHENTICATION_UNAVAILABLE: 'UNAVAILABLE',
      RATE_LIMITED: 'RESOURCE_EXHAUSTED',
      DATABASE_UNAVAILABLE: 'UNAVAILABLE',
      DRAINING: 'UNAVAILABLE',
      OUTCOME_UNKNOWN: 'UNAVAILABLE',
      DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
      CANCELLED: 'CANCELLED',
      INTERNAL: 'INTERNAL',
    });
  });
});

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
