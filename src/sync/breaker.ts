import CircuitBreaker from 'opossum';
import { OutageError } from './target.ts';

/** The state of the breaker, as metrics and status name it. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** The breaker's constants; times in milliseconds. */
export interface BreakerOptions {
  /** Opens at this share of failures, in percent, */
  readonly errorThresholdPercentage: number;
  /** of at least so many calls */
  readonly volumeThreshold: number;
  /** in this time. */
  readonly windowMs: number;
  /** Half-open after this time, doubled with each opening in a row up to the maximum. */
  readonly minOpenMs: number;
  readonly maxOpenMs: number;
}

/** What is thrown where the breaker lets nothing through. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError';
}

/** A success that began before the breaker opened: true of its documents, but no sign that the index is back. */
class StaleSuccess extends Error {
  readonly value: unknown;
  constructor(value: unknown) {
    super('the call began before the breaker opened');
    this.value = value;
  }
}

/**
 * A circuit breaker (opossum) around the calls to the index. One for all calls, without opossum's own time-out:
 * every call brings its own abort.
 */
export class Breaker {
  readonly #breaker: CircuitBreaker<[() => Promise<unknown>], unknown>;
  #openings = 0;

  constructor(options: BreakerOptions, onChange: (state: BreakerState) => void) {
    this.#breaker = new CircuitBreaker((action: () => Promise<unknown>) => action(), {
      timeout: false,
      errorThresholdPercentage: options.errorThresholdPercentage,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.windowMs,
      resetTimeout: options.minOpenMs,
    });
    const settings = (this.#breaker as unknown as { options: { resetTimeout: number } }).options;
    let next = options.minOpenMs;
    this.#breaker.on('open', () => {
      this.#openings += 1;
      onChange('open');
    });
    this.#breaker.on('halfOpen', () => {
      // Read when it opens again: a probe that fails keeps it open for longer.
      next = Math.min(options.maxOpenMs, next * 2);
      settings.resetTimeout = next;
      onChange('half_open');
    });
    this.#breaker.on('close', () => {
      next = options.minOpenMs;
      settings.resetTimeout = next;
      onChange('closed');
    });
  }

  get state(): BreakerState {
    if (this.#breaker.halfOpen) return 'half_open';
    return this.#breaker.opened ? 'open' : 'closed';
  }

  /**
   * Runs a call of the index.
   * @throws BreakerOpenError where it is not let through; what the call threw, which counts as a failure
   */
  async run<T>(action: () => Promise<T>): Promise<T> {
    const openings = this.#openings;
    try {
      return (await this.#breaker.fire(async () => {
        const value = await action();
        if (this.#openings !== openings) throw new StaleSuccess(value);
        return value;
      })) as T;
    } catch (error) {
      if (error instanceof StaleSuccess) return error.value as T;
      if (isOpenError(error)) throw new BreakerOpenError('the breaker is open');
      throw error;
    }
  }

  /** Stops its timers. */
  close(): void {
    this.#breaker.shutdown();
  }
}

function isOpenError(error: unknown): boolean {
  return (
    !(error instanceof OutageError) &&
    error instanceof Error &&
    'code' in error &&
    error.code === 'EOPENBREAKER'
  );
}
