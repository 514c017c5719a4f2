/** A sequence's turns in a window: so many times its fair share, and never fewer than so many. */
const SHARES = 2;
const MIN_TURNS = 16;
const WINDOW_MS = 500;

/**
 * Shares calls out among sequences: none gets more than twice its share of those that were let in, however many it
 * asks for. It is for times of need and only asked in them: it knows of the calls that it was asked about, in this
 * window and the one before. One sequence, or two, may have everything.
 */
export class FairShares {
  #windowMs = Number.NEGATIVE_INFINITY;
  #last = NO_WINDOW;
  #now = NO_WINDOW;

  /** Whether a call of this sequence may go on that comes now; times are of one monotonic clock, milliseconds. */
  take(sequenceName: string, nowMs: number): boolean {
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#last = nowMs - this.#windowMs < 2 * WINDOW_MS ? this.#now : NO_WINDOW;
      this.#now = { taken: new Map(), total: 0 };
      this.#windowMs = nowMs;
    }
    const { taken, total } = this.#now;
    const own = taken.get(sequenceName) ?? 0;
    // Those who are refused are known too: else two of them would count for one.
    if (own === 0) taken.set(sequenceName, 0);
    const sequences = Math.max(taken.size, this.#last.taken.size);
    const calls = Math.max(total + 1, this.#last.total);
    if (own + 1 > Math.max(MIN_TURNS, (SHARES * calls) / sequences)) return false;
    taken.set(sequenceName, own + 1);
    this.#now.total += 1;
    return true;
  }
}

interface Window {
  /** How often each sequence had its turn. */
  readonly taken: Map<string, number>;
  total: number;
}

const NO_WINDOW: Window = { taken: new Map(), total: 0 };
