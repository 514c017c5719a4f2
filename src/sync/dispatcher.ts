import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { SyncMetrics } from '../metrics.ts';
import type { Breaker } from './breaker.ts';
import { CallBounds } from './call-bounds.ts';
import type { Claim, Claims } from './claims.ts';
import { documentJson } from './document.ts';
import { Lanes, MAX_CALL_BYTES } from './lanes.ts';
import type { Memory } from './memory.ts';
import { Settler } from './settler.ts';
import { type Operation, OutageError, type Target, type Verdict } from './target.ts';
import { Wakeable } from './wakeable.ts';

/** The dispatcher's bounds; times in milliseconds. */
export interface DispatcherLimits {
  /** A call of the index ends after this. */
  readonly callTimeoutMs: number;
  /** Refusals of one document until it is parked. */
  readonly maxAttempts: number;
  /** How long after its end a call without an answer may still be applied. */
  readonly settleMs: number;
  /** The wait after a failure, doubled with each in a row, at random between nothing and this. */
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
}

/** What the dispatcher is made of. */
export interface DispatcherOptions {
  readonly claims: Claims;
  readonly memory: Memory;
  readonly writer: Writer;
  readonly target: Target;
  readonly breaker: Breaker;
  readonly limits: DispatcherLimits;
  readonly metrics: SyncMetrics;
  readonly logger: Logger;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly serviceName: string;
  /** Told when documents have been settled, or something went wrong: there may be more to do. */
  readonly onChange: () => void;
}

/** How a cycle ended: nothing is due that is not under way; there is more to take; the index failed. */
export type Cycle = 'idle' | 'progress' | 'failed';

/** Documents of one claim where each is a call of its own, for each call at a time. */
const CALLS_PER_CLAIM = 32;
/** Documents that are taken and not yet settled, at most, in claims. */
const MAX_CLAIMS_HELD = 4;

/**
 * Sends dirty documents: takes those that are due with what the database implies for them now, sends that, and clears
 * the marks that it took. The three overlap: while documents are sent the next are taken and the last are cleared.
 * How a document goes through them is written at {@link Claim}.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #bounds: CallBounds;
  readonly #lanes: Lanes;
  readonly #settler: Settler;
  /** Woken where there may be room for more, or something went wrong. */
  readonly #changed = new Wakeable();
  readonly #halted = new AbortController();
  /** The first thing that went wrong; nothing is taken until all that is under way has ended. */
  #trouble: Error | undefined;
  #failures = 0;
  #retryAfterMs = 0;
  #lastError = '';

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { target, claims } = options;
    this.#bounds = new CallBounds(options.limits.callTimeoutMs);
    this.#lanes = new Lanes({
      ...options,
      bounds: this.#bounds,
      operation: (claim) => this.#operation(claim),
      onEnd: (call, outcome) => this.#ended(call, outcome),
      onUnsent: (unsent) => {
        claims.release(unsent);
        if (unsent.length > 0) this.#change();
      },
    });
    this.#settler = new Settler({
      ...options,
      single: target.batchSize === 1,
      busy: () => this.#lanes.waiting > 0,
      onSettled: (settled, complete, error) => {
        claims.release(settled, complete);
        if (error !== undefined) this.#inTrouble(error);
        this.#change();
      },
    });
  }

  /** The last failure, in one line. */
  get lastError(): string {
    return this.#lastError;
  }

  /**
   * From now on, and for as long as a request may be on its way, an acknowledged document is sent once more: a
   * process before this one may have sent something.
   */
  distrust(): void {
    this.#options.memory.distrustAllUntil(performance.now() + this.#options.limits.settleMs);
  }

  /** Whether something that was sent may still be applied. */
  get unsettled(): boolean {
    return this.#options.memory.unsettled(performance.now());
  }

  /** Whether something went wrong that the next cycle has to clear up, whatever the breaker says. */
  get failing(): boolean {
    return this.#trouble !== undefined || this.#lanes.halted;
  }

  /**
   * Takes what is due and has it sent, and resolves when there is room for more. What it began may go on after.
   * @throws DatabaseError; OutageError where the collection is missing
   */
  async cycle(): Promise<Cycle> {
    const { breaker, claims } = this.#options;
    await this.#room();
    if (this.failing || breaker.state !== 'closed') await this.#quiet();
    if (this.#trouble !== undefined) return this.#recover(this.#trouble);
    if (breaker.state === 'open') return 'idle';
    if (breaker.state === 'half_open') return await this.#probe();
    const limits = { documents: this.#claimSize, bytes: MAX_CALL_BYTES };
    const taken = await claims.take(limits);
    if (this.#halted.signal.aborted) claims.release(taken.claims);
    else this.#lanes.offer(taken.claims);
    return taken.more ? 'progress' : 'idle';
  }

  /** No call begins any more. */
  halt(): void {
    this.#lanes.halt();
    this.#halted.abort();
  }

  /** Ends the calls that run. */
  cutOff(): void {
    this.#bounds.cutOff();
  }

  /** Resolves when nothing is under way; for good. */
  async stop(): Promise<void> {
    this.halt();
    await this.#quiet();
    this.#bounds.cutOff();
    await this.#options.claims.close();
  }

  /** How long to wait after a failure: at random, growing, or as the index asked for. Milliseconds. */
  waitMs(): number {
    const { limits, random } = this.#options;
    const bound = Math.min(limits.maxWaitMs, limits.minWaitMs * 2 ** Math.min(this.#failures, 20));
    return Math.max(Math.min(this.#retryAfterMs, limits.maxWaitMs), random() * bound);
  }

  /** A failure outside of a cycle, such as of making the collection. */
  failed(error: unknown): void {
    this.#failures += 1;
    this.#lastError = oneLine(error);
    this.#retryAfterMs = error instanceof OutageError ? (error.retryAfterMs ?? 0) : 0;
  }

  get #claimSize(): number {
    const { batchSize, concurrency } = this.#options.target;
    return batchSize === 1 ? concurrency * CALLS_PER_CLAIM : batchSize;
  }

  get #hasRoom(): boolean {
    const size = this.#claimSize;
    if (this.#lanes.waitingBytes > MAX_CALL_BYTES / 2) return false;
    return this.#lanes.waiting <= size / 2 && this.#options.claims.held <= size * (MAX_CLAIMS_HELD - 1);
  }

  async #room(): Promise<void> {
    while (!this.#hasRoom && !this.failing && !this.#halted.signal.aborted)
      await this.#changed.wait(this.#options.limits.callTimeoutMs, this.#halted.signal);
  }

  /** One call decides. It is not made with the document that failed last, where there is another. */
  async #probe(): Promise<Cycle> {
    const { claims } = this.#options;
    const taken = await claims.take({ documents: 2, bytes: MAX_CALL_BYTES });
    const probe = taken.claims.find(({ id }) => id !== this.#settler.lastFailed) ?? taken.claims[0];
    claims.release(taken.claims.filter((claim) => claim !== probe || this.#halted.signal.aborted));
    if (probe === undefined || this.#halted.signal.aborted) return 'idle';
    this.#lanes.offer([probe]);
    await this.#quiet();
    return this.#trouble === undefined ? 'progress' : this.#recover(this.#trouble);
  }

  /** Lets all end that is under way. */
  async #quiet(): Promise<void> {
    await this.#lanes.end();
    await this.#settler.end();
  }

  /** Tells what went wrong, when nothing is under way any more. */
  #recover(trouble: Error): Cycle {
    this.#trouble = undefined;
    if (!(trouble instanceof OutageError)) throw trouble;
    this.#options.logger.warn(
      { error: oneLine(trouble), breaker: this.#options.breaker.state },
      'the search index is failing',
    );
    if (trouble.collectionMissing) throw trouble;
    this.failed(trouble);
    return 'failed';
  }

  #operation({ id, due, state, generation }: Claim): Operation {
    if (state === null) return { kind: 'delete', id };
    const { serviceName } = this.#options;
    const json = documentJson(due, state, { serviceName, generation });
    return { kind: 'put', id, json, isNew: due.sinceTime === state.createTime };
  }

  #ended(call: readonly Claim[], outcome: readonly Verdict[] | Error): void {
    const refusal = this.#settler.add(call, outcome);
    if (refusal !== undefined) this.#lastError = refusal;
    if (outcome instanceof Error) this.#inTrouble(outcome);
    else if (this.#trouble === undefined && outcome.some(({ kind }) => kind === 'acknowledged')) {
      this.#failures = 0;
      this.#retryAfterMs = 0;
    }
    if (this.#hasRoom) this.#changed.wake();
  }

  #inTrouble(error: unknown): void {
    // That the collection is missing says more than that something failed.
    if (this.#trouble === undefined || (error instanceof OutageError && error.collectionMissing))
      this.#trouble = error instanceof Error ? error : new Error(String(error));
    this.#change();
  }

  #change(): void {
    this.#changed.wake();
    this.#options.onChange();
  }
}

/** The first line of an error's message. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.slice(0, 300);
}
