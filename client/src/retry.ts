import { Code, type ConnectError } from '@connectrpc/connect';
import { retryDelayMsOf } from './errors.ts';

/** How often and when a failed call is tried again. */
export interface RetryPolicy {
  /** How many attempts a call has, the first one included; 1 means no retry. */
  readonly maxAttempts: number;
  /** The longest wait before the second attempt, in milliseconds; it doubles with each further one. */
  readonly initialBackoffMs: number;
  /** What that wait never grows beyond. */
  readonly maxBackoffMs: number;
}

/** The policy where none is given; proto/service_config.json says the same to gRPC clients. */
export const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 5, initialBackoffMs: 100, maxBackoffMs: 2_000 };

/**
 * Says whether a failed attempt may be followed by another one, and after how long.
 *
 * UNAVAILABLE is tried again. So is RESOURCE_EXHAUSTED that carries a RetryInfo: the service shed that load before it
 * wrote anything, and says when it expects to have room; the backoff comes on top, so that callers do not return
 * all at once. Every other error is an answer.
 *
 * @param attempt the number of the attempt that failed, 1 for the first
 * @param random from 0 to 1, for full jitter
 * @returns the wait in milliseconds, or undefined where the error is final
 */
export function waitBeforeRetryMs(
  error: ConnectError,
  attempt: number,
  policy: RetryPolicy,
  random: number,
): number | undefined {
  if (attempt >= policy.maxAttempts) return undefined;
  const asked = retryDelayMsOf(error);
  const shed = error.code === Code.ResourceExhausted && asked !== undefined;
  if (error.code !== Code.Unavailable && !shed) return undefined;
  const backoff = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 1));
  return (asked ?? 0) + random * backoff;
}
