/** The bounds of an {@link InFlightLimit}. */
export interface InFlightOptions {
  /** How long a call should take at most, on the average, milliseconds. */
  readonly targetMs: number;
  /** Calls that may always run. */
  readonly min: number;
  /** Where it begins, and what it returns to while nothing is refused. */
  readonly start: number;
  /** Calls that may ever run. */
  readonly max: number;
  /** The share of the time since it was last asked in which the event loop was at work, 0 to 1. */
  readonly utilization: () => number;
}

/** How often the limit is set anew. */
const WINDOW_MS = 100;
/** How much of the way to what was measured it goes each time. */
const WEIGHT = 0.3;
/** Below this the loop is not what calls wait for, and fewer of them would not be faster. */
const BUSY = 0.75;
const GROWTH = 2;
/** The share of the limit from which on it matters whose calls run. */
const PRESSED = 0.5;

/**
 * How many calls may run at a time so that each takes `targetMs` at most: by Little's law, those that end a second
 * times `targetMs`. It is measured only while the limit is reached, since only then calls end as fast as they can;
 * else it returns to where it began, so that one slow moment is soon forgotten. Where they wait for something else
 * than the event loop, a slow disk for instance, fewer of them would take as long: then it grows, and the writer's
 * queue is what refuses.
 */
export class InFlightLimit {
  readonly #options: InFlightOptions;
  #limit: number;
  #running = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #ended = 0;
  #perSecond = 0;
  #reached = false;
  #isBusy = false;

  constructor(options: InFlightOptions) {
    this.#options = options;
    this.#limit = options.start;
  }

  /** Calls that may run at a time. */
  get limit(): number {
    return this.#limit;
  }

  /** Calls that run. */
  get running(): number {
    return this.#running;
  }

  /** Calls that ended a second, of late. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Whether the event loop is short. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether the event loop is short, and more than half of those run that may. */
  get isPressed(): boolean {
    return this.#isBusy && this.#running > this.#limit * PRESSED;
  }

  /** Whether a call might enter now. */
  hasRoom(nowMs: number): boolean {
    this.#measure(nowMs);
    return this.#running + 1 <= this.#limit;
  }

  /** Whether a call may run that comes now; where it does, `leave` has to follow. */
  enter(nowMs: number): boolean {
    this.#measure(nowMs);
    if (this.#running + 1 > this.#limit) {
      this.#reached = true;
      return false;
    }
    this.#running += 1;
    return true;
  }

  /** A call that was let in has ended, or is not to count any longer. */
  leave(): void {
    this.#running -= 1;
    this.#ended += 1;
  }

  /** A call that was let in gives its place back, and has not been answered. */
  giveBack(): void {
    this.#running -= 1;
  }

  #measure(nowMs: number): void {
    const elapsedMs = nowMs - this.#windowMs;
    if (elapsedMs < WINDOW_MS) return;
    const { targetMs, min, start, max, utilization } = this.#options;
    this.#isBusy = utilization() >= BUSY;
    const measured = this.#isBusy ? (this.#ended / elapsedMs) * targetMs : this.#limit * GROWTH;
    const wanted = this.#reached ? measured : start;
    this.#limit = Math.min(max, Math.max(min, this.#limit + WEIGHT * (wanted - this.#limit)));
    this.#perSecond = (this.#ended / elapsedMs) * 1_000;
    this.#windowMs = nowMs;
    this.#ended = 0;
    this.#reached = false;
  }
}
