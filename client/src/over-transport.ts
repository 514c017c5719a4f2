import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { type HeaderValues, repeatingTransport } from './repeating-transport.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';

/** A client of SequenceService: a method for each RPC. */
export type SequenceClient = Client<typeof SequenceService>;

/** What every client of SequenceService can be given. */
export interface CallingOptions {
  /**
   * The time that a call has in all, repetitions included, in milliseconds; 10,000 when left out. A call's own
   * `timeoutMs` replaces it; 0 means none, and the service's own 30 s hold.
   */
  readonly deadlineMs?: number;
  /** What to change of {@link DEFAULT_RETRY}; `{ maxAttempts: 1 }` turns retries off. */
  readonly retry?: Partial<RetryPolicy>;
  /** Headers of every call. A call's own headers win. */
  readonly headers?: HeaderValues;
  /** A bearer token, or what gives one; it is asked before each attempt, so that it may renew it. */
  readonly token?: string | (() => string | Promise<string>);
}

/**
 * Makes a client over a transport of yours: in a browser or another runtime with fetch, one of
 * `@connectrpc/connect-web`.
 *
 * Reads and writes are repeated after UNAVAILABLE and after OVERLOADED, with full jitter and never past the deadline.
 * A write without a request id gets one, the same on every attempt, so it is applied once.
 */
export function createSequenceClientOver(transport: Transport, options: CallingOptions = {}): SequenceClient {
  const { deadlineMs = 10_000, retry, token } = options;
  const headers = async () => {
    const all = new Headers(options.headers);
    const value = typeof token === 'function' ? await token() : token;
    if (value !== undefined) all.set('authorization', `Bearer ${value}`);
    return all;
  };
  const policy = { ...DEFAULT_RETRY, ...retry };
  return createClient(SequenceService, repeatingTransport(transport, { deadlineMs, retry: policy, headers }));
}
