import type { DescMessage, Message } from '@bufbuild/protobuf';
import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { DeadlineExceededError } from '../domain/errors.ts';
import type { Logger } from '../log.ts';
import type { RpcMetrics } from '../metrics.ts';
import { CALL, type Call } from './call.ts';
import { translate } from './errors.ts';
import { limitRate, type RateLimiter } from './rate-limit.ts';
import { compileValidator, type Validator } from './validate.ts';

/** What the interceptors report to. */
export interface InterceptorOptions {
  readonly metrics: RpcMetrics;
  readonly logger: Logger;
  /** Where there is a limit to the calls of one caller. */
  readonly rateLimiter?: RateLimiter | undefined;
}

/**
 * Every interceptor, outermost first:
 * 1. `observe` sees the final outcome of the call, so it is outside of everything;
 * 2. `refuseLate` spends nothing on a call whose time is over already;
 * 3. `limitRate` counts every call of a caller that is in time, also those with faulty messages;
 * 4. `validate` is innermost: handlers see valid messages only.
 */
export function createInterceptors(options: InterceptorOptions): Interceptor[] {
  const { rateLimiter } = options;
  return [observe(options), refuseLate, ...(rateLimiter ? [limitRate(rateLimiter)] : []), validate()];
}

/** Translates errors, measures the call and writes its log line; a stream's when it ends. */
function observe({ metrics, logger }: InterceptorOptions): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(CALL)!;
    call.reached = true;
    const method = `${request.service.typeName}/${request.method.name}`;
    const started = performance.now();
    metrics.inFlight.inc();
    const finish = (code: string) => {
      const seconds = (performance.now() - started) / 1000;
      metrics.inFlight.dec();
      metrics.duration.observe({ method, code, protocol: call.protocol }, seconds);
      logger.info(
        { method, code, protocol: call.protocol, seconds, correlation_id: call.correlationId },
        'rpc',
      );
    };
    const fail = (error: unknown): ConnectError => {
      const translated = translate(reasonOf(error, request.signal), call.correlationId);
      if (translated.defect)
        logger.error(
          { err: error, method, correlation_id: call.correlationId },
          'rpc failed by a fault of ours',
        );
      finish(codeName(translated.error.code));
      return translated.error;
    };
    try {
      const response = await next(
        request.stream ? { ...request, message: decodable(request.message) } : request,
      );
      if (response.stream) return { ...response, message: observed(response.message, finish, fail) };
      finish('OK');
      return response;
    } catch (error) {
      throw fail(error);
    }
  };
}

/** connect-node gives no reason of its own where an HTTP/1.1 connection is closed: the caller has hung up. */
function reasonOf(error: unknown, signal: AbortSignal): unknown {
  const hungUp = signal.aborted && error === signal.reason && !(error instanceof ConnectError);
  return hungUp ? new ConnectError('the caller has hung up', Code.Canceled) : error;
}

/**
 * The messages of a stream are decoded as the handler reads them: one that cannot be is the caller's fault. The
 * error may quote half of a surrogate pair, which could not be sent.
 */
async function* decodable<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const code = error.code === Code.Internal ? Code.InvalidArgument : error.code;
    throw new ConnectError(error.rawMessage.toWellFormed(), code);
  }
}

async function* observed<T>(
  messages: AsyncIterable<T>,
  finish: (code: string) => void,
  fail: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  let ended = false;
  try {
    yield* messages;
    ended = true;
    finish('OK');
  } catch (error) {
    ended = true;
    throw fail(error);
  } finally {
    // The client went away in the middle: the generator is closed at a yield.
    if (!ended) finish(codeName(Code.Canceled));
  }
}

/** A call whose deadline has passed while its message was read is refused before anything is done for it. */
const refuseLate: Interceptor = (next) => async (request) => {
  const { deadline }: Call = request.contextValues.get(CALL)!;
  if (deadline <= Date.now()) throw new DeadlineExceededError();
  request.signal.throwIfAborted();
  return await next(request);
};

/** Checks messages by the rules of their type, which are compiled when the first one comes. */
function validate(): Interceptor {
  const validators = new Map<DescMessage, Validator | undefined>();
  return (next) => async (request) => {
    if (!request.stream) {
      const { input } = request.method;
      if (!validators.has(input)) validators.set(input, compileValidator(input));
      validators.get(input)?.(request.message as Message);
    }
    return await next(request);
  };
}

/** The code as gRPC spells it: `INVALID_ARGUMENT`. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return 'CANCELLED';
  return Code[code].replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
}
