import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ContextValues,
  type Transport,
  type UnaryResponse,
} from '@connectrpc/connect';
import { connectionLossAsUnavailable } from './connection-loss.ts';
import { mayHaveBeenApplied, reasonOf } from './errors.ts';
import { isRead, repeatableRequest } from './request-id.ts';
import { type RetryPolicy, waitBeforeRetryMs } from './retry.ts';

/** What `new Headers()` takes; `HeadersInit` is a name that only some runtimes' types know. */
export type HeaderValues = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** What a {@link repeatingTransport} keeps. */
export interface RepeatingOptions {
  /** The time that a call has in all, its repetitions and waits included, where the call sets none of its own. */
  readonly deadlineMs: number;
  readonly retry: RetryPolicy;
  /** Headers of every attempt; those of the call win. */
  readonly headers: () => Promise<Headers>;
}

/** A transport that repeats what is safe to repeat, within one deadline. */
export function repeatingTransport(inner: Transport, options: RepeatingOptions): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input, contextValues) =>
      new RepeatedCall(inner, options, { method, signal, timeoutMs, header, contextValues }).run(input),
    stream: (...call) => inner.stream(...call),
  };
}

interface Call<I extends DescMessage, O extends DescMessage> {
  readonly method: DescMethodUnary<I, O>;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeaderValues | undefined;
  readonly contextValues: ContextValues | undefined;
}

class RepeatedCall<I extends DescMessage, O extends DescMessage> {
  readonly #inner: Transport;
  readonly #options: RepeatingOptions;
  readonly #call: Call<I, O>;
  readonly #endsAt: number;

  constructor(inner: Transport, options: RepeatingOptions, call: Call<I, O>) {
    this.#inner = inner;
    this.#options = options;
    this.#call = call;
    const timeoutMs = call.timeoutMs ?? options.deadlineMs;
    // As in Connect's own transports, 0 asks for no deadline.
    this.#endsAt = timeoutMs <= 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  }

  async run(input: MessageInitShape<I>): Promise<UnaryResponse<I, O>> {
    const request = repeatableRequest(this.#call.method, input) as MessageInitShape<I>;
    /** The first failure that leaves open whether the write was applied. */
    let unsettled: ConnectError | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request);
      } catch (thrown) {
        if (!(thrown instanceof ConnectError)) throw thrown;
        const error = connectionLossAsUnavailable(thrown, this.#cancelled());
        const waitMs = waitBeforeRetryMs(error, attempt, this.#options.retry, Math.random());
        if (waitMs === undefined || waitMs >= this.#remainingMs()) throw told(error, unsettled);
        if (!isRead(this.#call.method) && mayHaveBeenApplied(error)) unsettled ??= error;
        await this.#sleep(waitMs);
      }
    }
  }

  async #attempt(request: MessageInitShape<I>): Promise<UnaryResponse<I, O>> {
    const { method, signal, header, contextValues } = this.#call;
    if (signal?.aborted) throw abortError(signal);
    const headers = await this.#options.headers();
    new Headers(header).forEach((value, name) => {
      headers.set(name, value);
    });
    const remainingMs = this.#remainingMs();
    // The time goes out as a header of whole milliseconds; 0 would mean no deadline.
    const timeoutMs = remainingMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(remainingMs));
    return await this.#inner.unary(method, signal, timeoutMs, headers, request, contextValues);
  }

  #remainingMs(): number {
    return this.#endsAt - performance.now();
  }

  #cancelled(): boolean {
    return this.#call.signal?.aborted === true || this.#remainingMs() <= 0;
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#call;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(abortError(signal));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(resolve, ms);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

function abortError(signal: AbortSignal | undefined): ConnectError {
  return ConnectError.from(signal?.reason, Code.Canceled);
}

/** With these codes the service has judged the write itself, after it had looked for its request id. */
const VERDICTS: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.OutOfRange,
  Code.NotFound,
  Code.AlreadyExists,
  Code.Aborted,
  Code.FailedPrecondition,
]);

/**
 * The error that the caller sees. "Nothing was written" in the last one speaks of the last attempt: where an earlier
 * one may have been applied and the last was turned away unjudged, the earlier failure is the truth.
 */
function told(last: ConnectError, unsettled: ConnectError | undefined): ConnectError {
  if (unsettled === undefined || mayHaveBeenApplied(last)) return last;
  const judged = reasonOf(last) !== undefined && VERDICTS.has(last.code);
  return judged ? last : unsettled;
}
