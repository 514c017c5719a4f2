import type { DescMessage, Message } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type UnaryRequest,
} from '@connectrpc/connect';
import {
  DeadlineExceededError,
  OverloadedError,
  PermissionDeniedError,
  RateLimitedError,
} from '../domain/errors.ts';
import type { Logger } from '../log.ts';
import type { RpcMetrics } from '../metrics.ts';
import { untilAborted } from '../util/abort.ts';
import { type Access, accessOf } from './auth/access.ts';
import { CALLER, type Caller, covers } from './auth/caller.ts';
import { CERTIFICATE } from './auth/certificate.ts';
import type { Authenticator } from './auth/index.ts';
import { EVERY_SCOPE } from './auth/scope-patterns.ts';
import { CALL, type Call, PEER, SOURCE } from './call.ts';
import { toScope } from './convert.ts';
import { translate } from './errors.ts';
import { limitRate, peerName, type RateLimiter } from './rate-limit.ts';
import { shareFairly } from './shedding/share-fairly.ts';
import type { Shedder } from './shedding/shedder.ts';
import { compileValidator, type Validator } from './validate.ts';

/** What the interceptors report to, and who tells them who calls. */
export interface InterceptorOptions {
  readonly metrics: RpcMetrics;
  readonly logger: Logger;
  readonly authenticator: Authenticator;
  /** Whether methods of diagnostics (reflection) are for everybody. */
  readonly publicDiagnostics: boolean;
  /** Where there is a limit to the calls of one caller. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Where writes are shared out among sequences. */
  readonly shedder?: Shedder | undefined;
}

/**
 * Every interceptor, outermost first:
 * 1. `observe` sees the final outcome of the call, so it is outside of everything;
 * 2. `refuseLate` spends nothing on a call whose time is over already;
 * 3. `authenticate` tells who calls, before anything is said about what is asked;
 * 4. `limitRate` counts every call of a caller that is in time, also those that it may not make;
 * 5. `authorize` is before `validate`: who may not call learns nothing, not even whether the message was right;
 * 6. `validate` is before all that looks into the message;
 * 7. `shareFairly` is innermost: what would be refused anyhow takes nothing of a sequence's share.
 *
 * Those behind the first throw at once where they need not wait: a promise more on every call would cost more than what
 * they look at.
 */
export function createInterceptors(options: InterceptorOptions): Interceptor[] {
  const { rateLimiter, shedder } = options;
  return [
    observe(options),
    refuseLate,
    authenticate(options),
    ...(rateLimiter ? [limitRate(rateLimiter)] : []),
    authorize(options),
    validate(),
    ...(shedder ? [shareFairly(shedder)] : []),
  ];
}

/** Translates errors, measures the call and writes its log line; a stream's when it ends. */
function observe({ metrics, logger, shedder }: InterceptorOptions): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(CALL)!;
    call.reached = true;
    const method = `${request.service.typeName}/${request.method.name}`;
    const started = performance.now();
    // Nobody where nobody is asked, and where it has not been found out.
    const caller = () => request.contextValues.get(CALLER).name || undefined;
    metrics.inFlight.inc();
    const finish = (code: string) => {
      const seconds = (performance.now() - started) / 1000;
      metrics.inFlight.dec();
      metrics.duration.observe({ method, code, protocol: call.protocol }, seconds);
      logger.info(
        {
          method,
          code,
          protocol: call.protocol,
          seconds,
          caller: caller(),
          correlation_id: call.correlationId,
        },
        'rpc',
      );
    };
    const fail = (error: unknown): ConnectError => {
      const translated = translate(error, call.correlationId);
      if (translated.defect)
        logger.error(
          { err: error, method, correlation_id: call.correlationId },
          'rpc failed by a fault of ours',
        );
      if (error instanceof RateLimitedError) metrics.rateLimited.inc();
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
      if (error instanceof OverloadedError) await shedder?.holdBack(request.contextValues.get(SOURCE));
      throw fail(error);
    }
  };
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
const refuseLate: Interceptor = (next) => (request) => {
  const { deadline, signal }: Call = request.contextValues.get(CALL)!;
  if (deadline <= Date.now()) throw new DeadlineExceededError();
  signal.throwIfAborted();
  return next(request);
};

/** Finds out who calls, where the method asks for it. */
function authenticate({ authenticator, publicDiagnostics, rateLimiter }: InterceptorOptions): Interceptor {
  return (next) => (request) => {
    if (isOpen(accessOf(request.method), publicDiagnostics)) return next(request);
    const { header, contextValues } = request;
    const go = (caller: Caller) => {
      contextValues.set(CALLER, caller);
      return next(request);
    };
    const refuse = async (error: unknown): Promise<never> => {
      // Who guesses has no name: guesses are counted by where they come from.
      await rateLimiter?.count(peerName(contextValues.get(PEER)));
      throw error;
    };
    try {
      const found = authenticator.authenticate({
        authorization: header.get('authorization'),
        certificate: contextValues.get(CERTIFICATE),
      });
      if (found instanceof Promise)
        return untilAborted(found, contextValues.get(CALL)!.signal).then(go, refuse);
      contextValues.set(CALLER, found);
    } catch (error) {
      return refuse(error);
    }
    return next(request);
  };
}

/** Lets through what the table grants to the caller. */
function authorize({ publicDiagnostics }: InterceptorOptions): Interceptor {
  return (next) => (request) => {
    const access = accessOf(request.method);
    if (!isOpen(access, publicDiagnostics)) demand(access, request);
    return next(request);
  };
}

function isOpen(access: Access | undefined, publicDiagnostics: boolean): boolean {
  return access === 'open' || (access === 'diagnostics' && publicDiagnostics);
}

/** @throws PermissionDeniedError */
function demand(access: Access | undefined, request: UnaryRequest | StreamRequest): void {
  const { name, grant } = request.contextValues.get(CALLER);
  if (access === undefined || access === 'open') throw new PermissionDeniedError('call it', 'every scope');
  if (access === 'diagnostics') {
    // Where nobody is asked, nobody is known: diagnostics that are not public are for nobody then.
    if (name === '' || !covers(grant, 'read', undefined))
      throw new PermissionDeniedError('read', 'any scope');
    return;
  }
  // Only unary methods name a scope; the test of the table holds them to it.
  const named = access.in === 'its scope' && !request.stream ? scopeOf(request.message) : EVERY_SCOPE;
  if (covers(grant, access.permission, named)) return;
  throw new PermissionDeniedError(access.permission, named === EVERY_SCOPE ? 'every scope' : 'its scope');
}

function scopeOf(message: Message & { scope?: string }): string | typeof EVERY_SCOPE {
  return message.scope === undefined ? EVERY_SCOPE : toScope(message.scope);
}

/** Checks messages by the rules of their type, which are compiled when the first one comes. */
function validate(): Interceptor {
  const validators = new Map<DescMessage, Validator | undefined>();
  return (next) => (request) => {
    if (!request.stream) {
      const { input } = request.method;
      if (!validators.has(input)) validators.set(input, compileValidator(input));
      validators.get(input)?.(request.message as Message);
    }
    return next(request);
  };
}

/** The code as gRPC spells it: `INVALID_ARGUMENT`. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return 'CANCELLED';
  return Code[code].replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
}
