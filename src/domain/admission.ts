/** Each batch moves the estimate by this share of the difference. */
const WEIGHT = 0.3;
/** While nothing runs, the estimate loses half of itself in this time. */
const HALF_LIFE_MS = 1_000;

/**
 * Predicts how long a write would wait in the queue, from the time that batches have taken lately. What it predicts
 * follows a change within a few batches; one batch that is out of the ordinary, such as a large Reorder, hardly moves
 * it; and while nothing runs it is forgotten. So a write that finds the queue empty is never predicted to wait for
 * more than the rest of the batch that runs.
 */
export class Admission {
  #batchMs = 0;
  /** When the batch that runs began; undefined while none does. */
  #startedMs: number | undefined;
  #endedMs = 0;

  /** A batch starts; times are of one monotonic clock, milliseconds. */
  begin(nowMs: number): void {
    this.#batchMs = this.#batchMsAt(nowMs);
    this.#startedMs = nowMs;
  }

  /** The batch that was begun is over. */
  end(nowMs: number): void {
    const tookMs = nowMs - (this.#startedMs ?? nowMs);
    // One batch counts for four of its predecessors at most: where they go on to be slow, that is soon enough.
    const counted = Math.min(tookMs, 4 * this.#batchMs + 10);
    this.#batchMs += WEIGHT * (counted - this.#batchMs);
    this.#startedMs = undefined;
    this.#endedMs = nowMs;
  }

  /**
   * The time that a write would wait which comes now.
   *
   * @param batches how many batches are to be drawn before its own, the one that runs apart
   */
  expectedWaitMs(batches: number, nowMs: number): number {
    const batchMs = this.#batchMsAt(nowMs);
    const restMs = this.#startedMs === undefined ? 0 : Math.max(0, batchMs - (nowMs - this.#startedMs));
    return restMs + batches * batchMs;
  }

  #batchMsAt(nowMs: number): number {
    if (this.#startedMs !== undefined) return this.#batchMs;
    return this.#batchMs * 0.5 ** (Math.max(0, nowMs - this.#endedMs) / HALF_LIFE_MS);
  }
}
