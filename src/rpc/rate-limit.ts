import { isIPv6 } from 'node:net';
import type { Interceptor } from '@connectrpc/connect';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Rate } from '../config.ts';
import { RateLimitedError } from '../domain/errors.ts';
import { CALLER } from './auth/caller.ts';
import { PEER } from './call.ts';

/** The callers that are told apart at a time; those beyond share one allowance. */
const MAX_CALLERS = 10_000;
const EVERYONE_ELSE = 'everyone else';
/** What a caller's name or address is counted under begins so; none of them is {@link EVERYONE_ELSE}. */
const ONE = 'caller ';
const OURS = 'fountain.sequence.v1.';

/** Allows each caller so many calls in each span of time, which begins with its first one. */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #limiter: RateLimiterMemory;
  readonly #maxCallers: number;
  /** Who has called since `#sinceMs`: the library itself would keep any number of names. */
  readonly #callers = new Set<string>();
  #sinceMs = performance.now();

  constructor(rate: Rate, maxCallers = MAX_CALLERS) {
    this.#rate = rate;
    this.#limiter = new RateLimiterMemory({ points: rate.calls, duration: rate.perMs / 1000 });
    this.#maxCallers = maxCallers;
  }

  /**
   * Counts a call.
   *
   * @throws RateLimitedError where it is one too many
   */
  async count(caller: string): Promise<void> {
    try {
      await this.#limiter.consume(this.#known(caller) ? ONE + caller : EVERYONE_ELSE);
    } catch (error) {
      if (error instanceof Error) throw error;
      const { msBeforeNext } = error as RateLimiterRes;
      const { calls, perMs } = this.#rate;
      throw new RateLimitedError(`${calls} calls in ${perMs / 1000} s`, Math.max(1, Math.ceil(msBeforeNext)));
    }
  }

  #known(caller: string): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#sinceMs >= this.#rate.perMs) {
      this.#callers.clear();
      this.#sinceMs = nowMs;
    }
    if (this.#callers.size < this.#maxCallers) this.#callers.add(caller);
    return this.#callers.has(caller);
  }
}

/**
 * Refuses calls beyond the rate of a caller, who is known by name, or else by address. Health checks and reflection are
 * not counted.
 */
export function limitRate(limiter: RateLimiter): Interceptor {
  return (next) => (request) => {
    const { contextValues, service } = request;
    if (!service.typeName.startsWith(OURS)) return next(request);
    const { name } = contextValues.get(CALLER);
    const counted = limiter.count(name === '' ? peerName(contextValues.get(PEER)) : `named ${name}`);
    return counted.then(() => next(request));
  };
}

/** The part of an address that one caller has for itself: an IPv6 host has 2^64 of them. */
export function peerName(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
