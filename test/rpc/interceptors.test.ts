import { setImmediate } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createContextValues,
  type Interceptor,
  type StreamResponse,
  type UnaryRequest,
} from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import {
  ElementType,
  GenerateRequestSchema,
  SequenceService,
} from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
import { UnauthenticatedError } from '../../src/domain/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { ANYONE, allowedEverything, allowedNothing } from '../../src/rpc/auth/caller.ts';
import type { Authenticator } from '../../src/rpc/auth/index.ts';
import { CALL, type Call } from '../../src/rpc/call.ts';
import { codeName, createInterceptors } from '../../src/rpc/interceptors.ts';
import { capturedLog } from '../support/log-lines.ts';

type Next = Parameters<Interceptor>[0];

function stage(
  deadline = Number.POSITIVE_INFINITY,
  authenticator: Authenticator = { authenticate: () => ANYONE },
) {
  const { log, lines } = capturedLog();
  const metrics = createMetrics().rpc;
  const interceptors = createInterceptors({
    metrics,
    logger: log.logger,
    authenticator,
    publicDiagnostics: true,
  });
  const { signal } = new AbortController();
  const call: Call = { correlationId: 'the-id', protocol: 'grpc', deadline, signal, reached: false };
  const contextValues = createContextValues().set(CALL, call);
  return { lines, metrics, interceptors, call, contextValues };
}

/** As connect does: the first is the outermost. */
function chain(interceptors: readonly Interceptor[], handler: Next): Next {
  return interceptors.toReversed().reduce<Next>((next, interceptor) => interceptor(next), handler);
}

function generate(contextValues: ReturnType<typeof createContextValues>, message: object) {
  return {
    stream: false,
    service: SequenceService,
    method: SequenceService.method.generate,
    message: create(GenerateRequestSchema, message),
    contextValues,
    header: new Headers(),
    signal: new AbortController().signal,
  } as unknown as UnaryRequest;
}

const VALID = { elementType: ElementType.SCRIPT, elementId: 1n };
const succeed: Next = async () => ({ stream: false }) as never;

describe('the order: observe, refuseLate, authenticate, authorize, validate', () => {
  test('observe is outermost: it sees what the others refuse', async () => {
    for (const [deadline, message, code] of [
      [0, VALID, 'DEADLINE_EXCEEDED'],
      [Number.POSITIVE_INFINITY, {}, 'INVALID_ARGUMENT'],
    ] as const) {
      const { interceptors, contextValues, lines, call } = stage(deadline);
      await expect(chain(interceptors, succeed)(generate(contextValues, message))).rejects.toThrow(
        ConnectError,
      );
      expect(lines).toMatchObject([{ code }]);
      expect(call.reached).toBe(true);
    }
  });

  test('refuseLate is before validate: a late call is not even looked at', async () => {
    const { interceptors, contextValues } = stage(Date.now() - 1);
    const late = chain(interceptors, succeed)(generate(contextValues, {}));
    await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  const stranger: Authenticator = {
    authenticate: () => {
      throw new UnauthenticatedError();
    },
  };
  const powerless: Authenticator = { authenticate: () => allowedNothing('bob') };

  test('authenticate is after refuseLate: nobody is looked up for a call that is over', async () => {
    const late = stage(0, stranger);
    const called = chain(late.interceptors, succeed)(generate(late.contextValues, VALID));
    await expect(called).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  test.each([
    [
      'at once',
      (error: Error) =>
        ({
          authenticate: () => {
            throw error;
          },
        }) satisfies Authenticator,
    ],
    ['later', (error: Error) => ({ authenticate: () => Promise.reject(error) }) satisfies Authenticator],
  ])(
    'authenticate is before authorize and validate, and observe sees what it refuses %s',
    async (_, refusing) => {
      const { interceptors, contextValues, lines } = stage(undefined, refusing(new UnauthenticatedError()));
      const called = chain(interceptors, succeed)(generate(contextValues, {}));
      await expect(called).rejects.toMatchObject({ code: Code.Unauthenticated });
      expect(lines).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
      expect(lines[0]).not.toHaveProperty('caller');
    },
  );

  test('authorize is before validate, and its caller is known to observe', async () => {
    const { interceptors, contextValues, lines } = stage(undefined, powerless);
    const called = chain(interceptors, succeed)(generate(contextValues, {}));
    await expect(called).rejects.toMatchObject({ code: Code.PermissionDenied });
    expect(lines).toMatchObject([{ code: 'PERMISSION_DENIED', caller: 'bob' }]);
  });

  test('a method that is not in the table is refused, whoever calls', async () => {
    const { interceptors, contextValues } = stage(undefined, {
      authenticate: () => allowedEverything('root'),
    });
    const method = { ...SequenceService.method.generate, name: 'Unlisted' };
    const called = chain(
      interceptors,
      succeed,
    )({ ...generate(contextValues, VALID), method } as UnaryRequest);
    await expect(called).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  test('validate is innermost: a handler sees valid messages only, and in time', async () => {
    let calls = 0;
    const handler: Next = async () => {
      calls += 1;
      return { stream: false } as never;
    };
    const late = stage(0);
    await expect(chain(late.interceptors, handler)(generate(late.contextValues, VALID))).rejects.toThrow();
    const { interceptors, contextValues } = stage();
    await expect(chain(interceptors, handler)(generate(contextValues, {}))).rejects.toThrow();
    expect(calls).toBe(0);
    await chain(interceptors, handler)(generate(contextValues, VALID));
    expect(calls).toBe(1);
  });

  test('a caller that is gone is refused before the handler', async () => {
    const { interceptors, call, contextValues, lines } = stage();
    const signal = AbortSignal.abort(new ConnectError('gone', Code.Canceled));
    contextValues.set(CALL, { ...call, signal });
    const gone = chain(interceptors, succeed)(generate(contextValues, VALID));
    await expect(gone).rejects.toMatchObject({ code: Code.Canceled });
    expect(lines).toMatchObject([{ code: 'CANCELLED' }]);
  });
});

describe('observe', () => {
  test('counts what runs, and measures and logs each call once', async () => {
    const { interceptors, contextValues, metrics, lines } = stage();
    const inFlight = async () => (await metrics.inFlight.get()).values[0]?.value;
    let during: number | undefined;
    const handler: Next = async () => {
      during = await inFlight();
      return { stream: false } as never;
    };
    await chain(interceptors, handler)(generate(contextValues, VALID));
    expect(during).toBe(1);
    expect(await inFlight()).toBe(0);
    const { values } = await metrics.duration.get();
    const labels = { method: 'fountain.sequence.v1.SequenceService/Generate', code: 'OK', protocol: 'grpc' };
    const counts = values.filter(({ metricName }) => metricName?.endsWith('_count'));
    expect(counts).toMatchObject([{ labels, value: 1 }]);
    expect(lines).toMatchObject([{ level: 'info', msg: 'rpc', ...labels, correlation_id: 'the-id' }]);
  });

  test('logs a defect with its cause, once more, and tells the caller nothing of it', async () => {
    const { interceptors, contextValues, lines } = stage();
    const handler: Next = async () => {
      throw new Error('the cause');
    };
    const failed = chain(interceptors, handler)(generate(contextValues, VALID));
    await expect(failed).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringContaining('the-id'),
    });
    await expect(failed).rejects.not.toThrow('the cause');
    expect(lines).toMatchObject([
      { level: 'error', correlation_id: 'the-id', err: { message: 'the cause' } },
      { level: 'info', code: 'INTERNAL' },
    ]);
  });

  const watch = (contextValues: ReturnType<typeof createContextValues>, input: AsyncIterable<unknown>) =>
    ({
      stream: true,
      service: Health,
      method: Health.method.watch,
      message: input,
      contextValues,
      header: new Headers(),
      signal: new AbortController().signal,
    }) as never;

  async function* numbers(then?: () => never) {
    yield 1;
    yield 2;
    then?.();
  }

  test.each([
    ['OK', 'ends', undefined],
    [
      'NOT_FOUND',
      'fails',
      () => {
        throw new ConnectError('none', Code.NotFound);
      },
    ],
  ] as const)('a stream is %s when it %s', async (code, _, then) => {
    const { interceptors, contextValues, lines } = stage();
    const handler: Next = async () => ({ stream: true, message: numbers(then) }) as never;
    const response = (await chain(interceptors, handler)(watch(contextValues, numbers()))) as StreamResponse;
    expect(lines).toEqual([]);
    await read(response.message).catch(() => {});
    expect(lines).toMatchObject([{ code }]);
  });

  test('a stream is CANCELLED when its reader leaves', async () => {
    const { interceptors, contextValues, lines, metrics } = stage();
    const handler: Next = async () => ({ stream: true, message: numbers() }) as never;
    const response = (await chain(interceptors, handler)(watch(contextValues, numbers()))) as StreamResponse;
    for await (const _ of response.message) break;
    await setImmediate();
    expect(lines).toMatchObject([{ code: 'CANCELLED' }]);
    expect((await metrics.inFlight.get()).values[0]?.value).toBe(0);
  });

  test('what cannot be decoded in a stream is the caller’s fault', async () => {
    const { interceptors, contextValues, lines } = stage();
    const undecodable = numbers(() => {
      throw new ConnectError('parse binary: premature EOF', Code.Internal);
    });
    const handler: Next = async (request) => ({ stream: true, message: request.message }) as never;
    const response = (await chain(
      interceptors,
      handler,
    )(watch(contextValues, undecodable))) as StreamResponse;
    await expect(read(response.message)).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(lines).toMatchObject([{ code: 'INVALID_ARGUMENT' }]);
  });
});

test('codes are spelt as gRPC spells them', () => {
  expect([Code.Canceled, Code.InvalidArgument, Code.DeadlineExceeded, Code.Internal].map(codeName)).toEqual([
    'CANCELLED',
    'INVALID_ARGUMENT',
    'DEADLINE_EXCEEDED',
    'INTERNAL',
  ]);
});

async function read(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
