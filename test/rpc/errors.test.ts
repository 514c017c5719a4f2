import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import {
  AuthenticationUnavailableError,
  CancelledError,
  DatabaseUnavailableError,
  DeadlineExceededError,
  DocumentParkedError,
  type DomainError,
  DrainingError,
  ElementExistsError,
  ElementNotFoundError,
  InternalError,
  InvalidFieldError,
  OutcomeUnknownError,
  OverloadedError,
  PermissionDeniedError,
  PositionOutOfRangeError,
  RateLimitedError,
  RequestIdReusedError,
  RevisionMismatchError,
  SyncDisabledError,
  TooManyRenumberedError,
  UnauthenticatedError,
  VersionMismatchError,
  VersionNotFoundError,
} from '../../src/domain/errors.ts';
import { CODES, translate } from '../../src/rpc/errors.ts';

const SECRET = 'SQLITE_IOERR: /var/secret/file.db, statement INSERT …';
const VIOLATION = { field: 'items[3].element_id', description: 'must be 1 or more' };

const DOMAIN_ERRORS: readonly [DomainError, Code, Record<string, string>][] = [
  [new InvalidFieldError([VIOLATION]), Code.InvalidArgument, { field: 'items[3].element_id' }],
  [new InvalidFieldError([VIOLATION], 'NOT_A_PERMUTATION'), Code.InvalidArgument, { field: VIOLATION.field }],
  [new RequestIdReusedError('id'), Code.InvalidArgument, { request_id: 'id' }],
  [new ElementNotFoundError('a/script', [7, 8]), Code.NotFound, { element_ids: '7,8', count: '2' }],
  [new VersionNotFoundError(7, 3), Code.NotFound, { element_id: '7', version_number: '3' }],
  [
    new ElementExistsError('a/script', [{ elementId: 7, sequenceNumber: 2 }]),
    Code.AlreadyExists,
    { element_ids: '7', sequence_numbers: '2', count: '1' },
  ],
  [new PositionOutOfRangeError(9, 5), Code.OutOfRange, { position: '9', first: '1', last: '5' }],
  [
    new RevisionMismatchError(3, { revision: 5, orderRevision: 4 }),
    Code.Aborted,
    { expected_revision: '3', revision: '5', order_revision: '4' },
  ],
  [new VersionMismatchError(1, 2), Code.Aborted, { expected_version: '1', version_number: '2' }],
  [new TooManyRenumberedError('elements', 9, 5), Code.FailedPrecondition, { elements: '9', limit: '5' }],
  [new DocumentParkedError('a_script_7_1'), Code.FailedPrecondition, { document_id: 'a_script_7_1' }],
  [new SyncDisabledError(), Code.FailedPrecondition, {}],
  [new UnauthenticatedError(), Code.Unauthenticated, {}],
  [new PermissionDeniedError('write', 'its scope'), Code.PermissionDenied, { permission: 'write' }],
  [new AuthenticationUnavailableError(new Error(SECRET)), Code.Unavailable, {}],
  [new OverloadedError('full', 1_250), Code.ResourceExhausted, { retry_after_ms: '1250' }],
  [new RateLimitedError('1 call in 60 s', 1_250), Code.ResourceExhausted, { retry_after_ms: '1250' }],
  [new DatabaseUnavailableError(new Error(SECRET)), Code.Unavailable, {}],
  [new DrainingError(), Code.Unavailable, {}],
  [new OutcomeUnknownError(new Error(SECRET)), Code.Unavailable, {}],
  [new DeadlineExceededError(), Code.DeadlineExceeded, {}],
  [new CancelledError(), Code.Canceled, {}],
];

describe('errors of the domain', () => {
  test.each(DOMAIN_ERRORS.map((row) => [row[0].reason, ...row] as const))(
    '%s',
    (reason, thrown, code, metadata) => {
      const { error } = translate(thrown, 'id');
      expect(error.code).toBe(code);
      expect(error.rawMessage).toBe(thrown.message);
      const infos = error.findDetails(ErrorInfoSchema);
      expect(infos).toMatchObject([{ reason, domain: 'sequence.fountain', metadata }]);
      expect(Object.keys(infos[0]!.metadata).sort()).toEqual(Object.keys(metadata).sort());
    },
  );

  test('every reason but INTERNAL is among them', () => {
    const reasons = DOMAIN_ERRORS.map(([{ reason }]) => reason as string);
    expect([...new Set(reasons), 'INTERNAL'].sort()).toEqual(Object.keys(CODES).sort());
  });

  test('faulty fields are named, all of them', () => {
    const other = { field: 'scope', description: 'must be short' };
    const { error } = translate(new InvalidFieldError([VIOLATION, other]), 'id');
    expect(error.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [VIOLATION, other] }]);
    expect(error.rawMessage).toBe('items[3].element_id must be 1 or more; scope must be short');
  });

  test('shed load says when to come again', () => {
    const { error } = translate(new OverloadedError('full', 1_250), 'id');
    expect(error.findDetails(RetryInfoSchema)).toMatchObject([
      { retryDelay: { seconds: 1n, nanos: 250_000_000 } },
    ]);
  });

  test('thousands of ids do not make an error of thousands of bytes', () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => 9_007_199_254_730_000 + i);
    const { error } = translate(new ElementNotFoundError('a/script', ids), 'id');
    expect(error.rawMessage.length).toBeLessThan(2_000);
    expect(error.findDetails(ErrorInfoSchema)[0]!.metadata['count']).toBe('10000');
  });
});

describe('what is no error of the domain', () => {
  test.each([
    ['an error of a driver', new Error(SECRET)],
    ['an InternalError', new InternalError(new Error(SECRET))],
    ['what is no error', SECRET],
    ['nothing', undefined],
    ['connect’s own INTERNAL', new ConnectError(SECRET, Code.Internal)],
    ['connect’s own UNKNOWN', new ConnectError(SECRET, Code.Unknown)],
  ])('%s is INTERNAL, with the correlation id and nothing else', (_, thrown) => {
    const { error, defect } = translate(thrown, 'the-id');
    expect(error.code).toBe(Code.Internal);
    expect(defect).toBe(true);
    expect(error.rawMessage).toContain('the-id');
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: 'INTERNAL', domain: 'sequence.fountain', metadata: { correlation_id: 'the-id' } },
    ]);
    expect(error.cause).toBeUndefined();
    expect(error.message).not.toContain('SQLITE');
    expect(error.details).toHaveLength(1);
  });

  test.each([
    ['DEADLINE_EXCEEDED', Code.DeadlineExceeded, Code.DeadlineExceeded],
    ['CANCELLED', Code.Canceled, Code.Canceled],
    // connect aborts the signal of a call whose HTTP/1.1 connection went away with this code.
    ['CANCELLED', Code.Aborted, Code.Canceled],
  ])('the reason of a signal: %s', (reason, thrown, code) => {
    const { error, defect } = translate(new ConnectError('gone', thrown), 'id');
    expect(error.code).toBe(code);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason, domain: 'sequence.fountain' }]);
    expect(defect).toBe(false);
  });

  test('other errors of health, reflection and connect pass', () => {
    const thrown = new ConnectError('unknown service', Code.NotFound);
    expect(translate(thrown, 'id')).toEqual({ error: thrown, defect: false });
  });

  test('only what is our fault is a defect', () => {
    const defects = DOMAIN_ERRORS.filter(([thrown]) => translate(thrown, 'id').defect);
    expect(defects.map(([{ reason }]) => reason)).toEqual(['OUTCOME_UNKNOWN']);
  });
});
