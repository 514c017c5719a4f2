import { LinkedList } from '../../util/linked-list.ts';

/** The bounds of a {@link Pace}. */
export interface PaceOptions {
  /** What is run a second, at most, as things are now. */
  readonly perSecond: () => number;
  /** What is run at once after a pause. */
  readonly burst: number;
  /** How long anything is held, at most, milliseconds. */
  readonly maxHoldMs: number;
  /** How much is held, at most; what comes beyond it runs at once. */
  readonly maxHeld: number;
}

const TICK_MS = 10;

/**
 * Runs things in order, no faster than a rate where that can be kept within the bounds. Refusing costs time too, and
 * who is refused at once is often back at once: held for a moment, refusals leave that time to the calls that run.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #held = new LinkedList<Held>();
  #tokens: number;
  #filledMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#tokens = options.burst;
  }

  /** Runs it now, or as soon as its turn comes. */
  run(task: () => void): void {
    const nowMs = performance.now();
    this.#fill(nowMs);
    if (this.#held.size >= this.#options.maxHeld) task();
    else if (this.#held.size === 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      task();
    } else {
      this.#held.add({ task, sinceMs: nowMs });
      this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
    }
  }

  #tick(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    this.#fill(nowMs);
    for (let place = this.#held.first; place !== undefined; place = this.#held.first) {
      const { task, sinceMs } = place.value;
      if (this.#tokens < 1 && nowMs - sinceMs < this.#options.maxHoldMs) break;
      this.#tokens = Math.max(0, this.#tokens - 1);
      this.#held.remove(place);
      task();
    }
    if (this.#held.size > 0) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#options;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledMs) / 1000) * perSecond());
    this.#filledMs = nowMs;
  }
}

interface Held {
  readonly task: () => void;
  readonly sinceMs: number;
}
