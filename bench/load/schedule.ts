/** When calls of a constant rate are due. Times in milliseconds from the start. */
export class Schedule {
  readonly #everyMs: number;
  readonly #count: number;
  #next = 0;

  constructor(rate: number, seconds: number) {
    this.#everyMs = 1000 / rate;
    this.#count = Math.floor(rate * seconds);
  }

  /** The due time of each call that has become due, once each, in their order. */
  *due(nowMs: number): Generator<number> {
    while (!this.ended && this.#next * this.#everyMs <= nowMs) yield this.#next++ * this.#everyMs;
  }

  get ended(): boolean {
    return this.#next === this.#count;
  }
}
