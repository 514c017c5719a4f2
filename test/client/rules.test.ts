import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import {
  type CallingOptions,
  createSequenceClientOver,
  DEFAULT_RETRY,
  ElementType,
  fieldViolationsOf,
  mayHaveBeenApplied,
  metadataOf,
  reasonOf,
  SequenceService,
} from '../../client/src/core.ts';
import { waitBeforeRetryMs } from '../../client/src/retry.ts';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';

const SCRIPT = { scope: 'rules', elementType: ElementType.SCRIPT } as const;
const QUICK: CallingOptions = { retry: { initialBackoffMs: 1, maxBackoffMs: 2 } };

/** An error as the service sends it. */
function failure(code: Code, reason?: string, retryAfterMs?: number): ConnectError {
  const error = new ConnectError(`a ${reason ?? 'nameless'} failure`, code);
  if (reason !== undefined)
    error.details.push({
      desc: ErrorInfoSchema,
      value: create(ErrorInfoSchema, { reason, domain: 'sequence.fountain', metadata: { known: 'yes' } }),
    });
  if (retryAfterMs !== undefined)
    error.details.push({
      desc: RetryInfoSchema,
      value: create(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) }),
    });
  return error;
}

/** A client of a service that fails as told, one failure an attempt, and then answers. */
function clientOf(failures: ConnectError[], options: CallingOptions = QUICK) {
  const attempts: { requestId: string; headers: Headers; timeoutMs: number | undefined }[] = [];
  const fail = (requestId: string, { requestHeader, timeoutMs }: ContextOf) => {
    attempts.push({ requestId, headers: requestHeader, timeoutMs: timeoutMs() });
    const next = failures.shift();
    if (next !== undefined) throw next;
    return {};
  };
  const transport = createRouterTransport(({ service }) =>
    service(SequenceService, {
      generate: ({ requestId }, context) => fail(requestId, context),
      move: ({ requestId }, context) => fail(requestId, context),
      getSequence: (_, context) => fail('', context),
    }),
  );
  return { attempts, client: createSequenceClientOver(transport, options) };
}

interface ContextOf {
  readonly requestHeader: Headers;
  timeoutMs(): number | undefined;
}

const rejection = async (call: Promise<unknown>): Promise<ConnectError> =>
  await call.then(
    () => expect.unreachable('the call succeeded'),
    (error) => error as ConnectError,
  );

describe('what is repeated', () => {
  test('a read and a write after UNAVAILABLE, the write with one request id', async () => {
    const unavailable = () => failure(Code.Unavailable, 'DRAINING');
    const { client, attempts } = clientOf([unavailable(), unavailable(), unavailable(), unavailable()]);
    await client.getSequence(SCRIPT);
    expect(attempts).toHaveLength(5);
    attempts.length = 0;

    const write = clientOf([unavailable(), unavailable()]);
    const request = { ...SCRIPT, elementId: 1n };
    await write.client.generate(request);
    const ids = write.attempts.map(({ requestId }) => requestId);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(request).not.toHaveProperty('requestId');
  });

  test('another call gets another id, and one of the caller stays', async () => {
    const { client, attempts } = clientOf([failure(Code.Unavailable)]);
    const requestId = crypto.randomUUID();
    await client.move({ ...SCRIPT, elementId: 1n, target: { case: 'first', value: true }, requestId });
    await client.move({ ...SCRIPT, elementId: 1n, target: { case: 'first', value: true } });
    expect(attempts.map(({ requestId: id }) => id === requestId)).toEqual([true, true, false]);
  });

  test('OVERLOADED, not before the time that it names', async () => {
    const { client, attempts } = clientOf([failure(Code.ResourceExhausted, 'OVERLOADED', 120)]);
    const before = performance.now();
    await client.generate({ ...SCRIPT, elementId: 1n });
    expect(performance.now() - before).toBeGreaterThanOrEqual(119);
    expect(attempts).toHaveLength(2);
  });

  test.each([
    [Code.InvalidArgument, 'INVALID_FIELD'],
    [Code.NotFound, 'ELEMENT_NOT_FOUND'],
    [Code.AlreadyExists, 'ELEMENT_EXISTS'],
    [Code.Aborted, 'REVISION_MISMATCH'],
    [Code.Aborted, undefined],
    [Code.ResourceExhausted, 'MESSAGE_TOO_LARGE'],
    [Code.Internal, 'INTERNAL'],
    [Code.Internal, undefined],
    [Code.DeadlineExceeded, 'DEADLINE_EXCEEDED'],
    [Code.Unauthenticated, undefined],
    [Code.Unknown, undefined],
  ])('code %i with reason %s is final', async (code, reason) => {
    const { client, attempts } = clientOf([failure(code, reason)]);
    const error = await rejection(client.generate({ ...SCRIPT, elementId: 1n }));
    expect([error.code, reasonOf(error)]).toEqual([code, reason]);
    expect(attempts).toHaveLength(1);
  });

  test('attempts are bounded, and can be one', async () => {
    const endless = () => Array.from({ length: 20 }, () => failure(Code.Unavailable, 'DRAINING'));
    const five = clientOf(endless());
    expect(reasonOf(await rejection(five.client.getSequence(SCRIPT)))).toBe('DRAINING');
    expect(five.attempts).toHaveLength(DEFAULT_RETRY.maxAttempts);
    const one = clientOf(endless(), { retry: { maxAttempts: 1 } });
    await rejection(one.client.getSequence(SCRIPT));
    expect(one.attempts).toHaveLength(1);
  });
});

test('the wait doubles up to its bound, with full jitter, on top of what the service asks', () => {
  const unavailable = failure(Code.Unavailable);
  const longest = [1, 2, 3, 4].map((attempt) => waitBeforeRetryMs(unavailable, attempt, DEFAULT_RETRY, 1));
  expect(longest).toEqual([100, 200, 400, 800]);
  expect(waitBeforeRetryMs(unavailable, 30, { ...DEFAULT_RETRY, maxAttempts: 99 }, 1)).toBe(2_000);
  expect(waitBeforeRetryMs(unavailable, 4, DEFAULT_RETRY, 0)).toBe(0);
  expect(waitBeforeRetryMs(unavailable, 5, DEFAULT_RETRY, 0)).toBeUndefined();
  const overloaded = failure(Code.ResourceExhausted, 'OVERLOADED', 1_500);
  expect(waitBeforeRetryMs(overloaded, 1, DEFAULT_RETRY, 0.5)).toBe(1_550);
});

describe('the deadline', () => {
  test('is ten seconds, the call can set its own, and attempts share it', async () => {
    const { client, attempts } = clientOf([failure(Code.Unavailable, undefined, 60)]);
    await client.getSequence(SCRIPT);
    expect(attempts[0]!.timeoutMs).toBeGreaterThan(9_000);
    expect(attempts[1]!.timeoutMs).toBeLessThanOrEqual(9_950);
    await client.getSequence(SCRIPT, { timeoutMs: 500 });
    expect(attempts[2]!.timeoutMs).toBeLessThanOrEqual(500);
    await client.getSequence(SCRIPT, { timeoutMs: 0 });
    expect(attempts[3]!.timeoutMs).toBeUndefined();
  });

  test('a wait that would pass it is not begun: the failure is told at once', async () => {
    const { client } = clientOf([failure(Code.ResourceExhausted, 'OVERLOADED', 5_000)], {
      deadlineMs: 1_000,
    });
    const before = performance.now();
    expect(reasonOf(await rejection(client.generate({ ...SCRIPT, elementId: 1n })))).toBe('OVERLOADED');
    expect(performance.now() - before).toBeLessThan(500);
  });

  test("the caller's signal ends a wait", async () => {
    const { client, attempts } = clientOf([failure(Code.Unavailable, undefined, 5_000)]);
    const stop = new AbortController();
    const call = rejection(client.getSequence(SCRIPT, { signal: stop.signal }));
    await sleep(30);
    stop.abort();
    expect((await call).code).toBe(Code.Canceled);
    expect(attempts).toHaveLength(1);
    expect((await rejection(client.getSequence(SCRIPT, { signal: stop.signal }))).code).toBe(Code.Canceled);
    expect(attempts).toHaveLength(1);
  });
});

describe('what the caller is told of a write', () => {
  const unknown = () => failure(Code.Unavailable, 'OUTCOME_UNKNOWN');
  const lost = () => failure(Code.Unavailable);

  test.each([
    ['an unknown outcome, then turned away', unknown(), failure(Code.Unauthenticated), 'OUTCOME_UNKNOWN'],
    [
      'an unknown outcome, then a verdict',
      unknown(),
      failure(Code.NotFound, 'ELEMENT_NOT_FOUND'),
      'ELEMENT_NOT_FOUND',
    ],
    ['no answer, then INTERNAL', lost(), failure(Code.Internal, 'INTERNAL'), undefined],
    [
      'certainly nothing, then INTERNAL',
      failure(Code.Unavailable, 'DRAINING'),
      failure(Code.Internal, 'INTERNAL'),
      'INTERNAL',
    ],
  ])('%s', async (_, first, second, reason) => {
    const { client, attempts } = clientOf([first, second]);
    const error = await rejection(client.generate({ ...SCRIPT, elementId: 1n }));
    expect(attempts).toHaveLength(2);
    expect(reasonOf(error)).toBe(reason);
    expect(mayHaveBeenApplied(error)).toBe(reason === 'OUTCOME_UNKNOWN' || reason === undefined);
  });

  test.each([
    [failure(Code.DeadlineExceeded, 'DEADLINE_EXCEEDED'), true],
    [failure(Code.Canceled, 'CANCELLED'), true],
    [failure(Code.Unavailable), true],
    [failure(Code.Internal), true],
    [failure(Code.Internal, 'INTERNAL'), false],
    [failure(Code.Unavailable, 'DATABASE_UNAVAILABLE'), false],
    [failure(Code.InvalidArgument), false],
    [new Error('of another kind'), true],
  ])('mayHaveBeenApplied: %s is %s', (error, expected) => {
    expect(mayHaveBeenApplied(error)).toBe(expected);
  });
});

test('headers and token go out with every attempt; those of the call win', async () => {
  let tokens = 0;
  const { client, attempts } = clientOf([failure(Code.Unavailable)], {
    ...QUICK,
    headers: { 'x-request-id': 'mine', 'x-other': 'base' },
    token: async () => `token-${++tokens}`,
  });
  await client.getSequence(SCRIPT, { headers: { 'x-other': 'call' } });
  const sent = attempts.map(({ headers }) =>
    ['authorization', 'x-request-id', 'x-other'].map((name) => headers.get(name)),
  );
  expect(sent).toEqual([
    ['Bearer token-1', 'mine', 'call'],
    ['Bearer token-2', 'mine', 'call'],
  ]);
});

test('reason, metadata and field violations are read from the error, and from nothing else', () => {
  const error = failure(Code.InvalidArgument, 'INVALID_FIELD');
  const fieldViolations = [{ field: 'element_id', description: 'must be from 1 to 9007199254740991' }];
  error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  expect(reasonOf(error)).toBe('INVALID_FIELD');
  expect(metadataOf(error)).toEqual({ known: 'yes' });
  expect(fieldViolationsOf(error)).toEqual(fieldViolations);
  const foreign = new ConnectError('of another service', Code.NotFound, undefined, [
    { desc: ErrorInfoSchema, value: { reason: 'GONE', domain: 'elsewhere' } },
  ]);
  for (const other of [foreign, new Error('x'), undefined]) {
    expect(reasonOf(other)).toBeUndefined();
    expect(metadataOf(other)).toEqual({});
    expect(fieldViolationsOf(other)).toEqual([]);
  }
});
