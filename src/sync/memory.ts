import type { Blame } from './target.ts';

/** How waits grow; milliseconds. */
interface Waits {
  readonly limits: { readonly minWaitMs: number; readonly maxWaitMs: number };
  readonly random: () => number;
}

interface Trouble {
  failures: number;
  /** How many documents had passed when it last failed. */
  passedAt: number;
  /** Until when something that was sent may still be applied. */
  unsettledUntil: number;
}

/** More are kept only while something of them is on its way. */
const MAX_TROUBLES = 100_000;

/**
 * What a sender remembers of documents in trouble. It holds one entry a document that failed and has not passed
 * since, so it never outgrows the dirty set. It may be lost: what it protects from, a start after a crash is
 * protected from as a whole.
 *
 * Times are milliseconds of `performance.now()`: how long a request may be on its way does not follow a clock that
 * somebody sets.
 */
export class Memory {
  readonly #troubles = new Map<string, Trouble>();
  #passed = 0;
  #distrustedUntil = 0;

  /** Every document may have been sent by someone whose request is still on its way. */
  distrustAllUntil(time: number): void {
    this.#distrustedUntil = time;
  }

  /** A request for this document ended without an answer, and may be applied until then. */
  distrust(id: string, time: number): void {
    const trouble = this.#trouble(id);
    trouble.unsettledUntil = Math.max(trouble.unsettledUntil, time);
  }

  /** Until when something that was sent of a document may still be applied; in the past where nothing is. */
  unsettledUntil(id: string): number {
    return Math.max(this.#distrustedUntil, this.#troubles.get(id)?.unsettledUntil ?? 0);
  }

  /** Whether something that was sent may still be applied. */
  unsettled(now: number): boolean {
    if (this.#distrustedUntil > now) return true;
    return [...this.#troubles.values()].some(({ unsettledUntil }) => unsettledUntil > now);
  }

  /** Notes a failure; returns how long to leave the document alone. */
  fail(id: string, { limits, random }: Waits): number {
    const trouble = this.#trouble(id);
    trouble.failures += 1;
    trouble.passedAt = this.#passed;
    return random() * Math.min(limits.maxWaitMs, limits.minWaitMs * 2 ** Math.min(trouble.failures, 20));
  }

  /**
   * Whether a refusal counts as an attempt: where it is unclear whose fault it is, only where another document has
   * passed since this one failed last, which shows that the index works.
   */
  counts(id: string, blame: Blame): boolean {
    if (blame !== 'unclear') return blame === 'document';
    const trouble = this.#troubles.get(id);
    return trouble !== undefined && trouble.failures > 0 && this.#passed > trouble.passedAt;
  }

  /** Notes an acknowledgement; returns in how long the document is to be sent once more, undefined where it is not. */
  pass(id: string, now: number): number | undefined {
    this.#passed += 1;
    if (this.#troubles.size === 0 && this.#distrustedUntil <= now) return undefined;
    const trouble = this.#troubles.get(id);
    if (trouble !== undefined) trouble.failures = 0;
    const until = this.unsettledUntil(id);
    return until > now ? until - now : undefined;
  }

  /** Where it has grown large, forgets documents with nothing on its way: others may have sent them since. */
  shrink(now: number): void {
    if (this.#troubles.size <= MAX_TROUBLES) return;
    for (const [id, { unsettledUntil }] of this.#troubles)
      if (unsettledUntil <= now) this.#troubles.delete(id);
  }

  /** The document is clean. */
  forget(id: string): void {
    this.#troubles.delete(id);
  }

  #trouble(id: string): Trouble {
    let trouble = this.#troubles.get(id);
    if (trouble === undefined) {
      trouble = { failures: 0, passedAt: this.#passed, unsettledUntil: 0 };
      this.#troubles.set(id, trouble);
    }
    return trouble;
  }
}
