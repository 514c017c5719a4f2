import { PARKED } from '../db/entities/dirty-document.ts';
import { acknowledge, type DueDocument, postpone, type SyncReads } from '../db/queries/sync.ts';
import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { SyncMetrics } from '../metrics.ts';
import { type Breaker, BreakerOpenError } from './breaker.ts';
import { documentId, toDocument } from './document.ts';
import { Memory } from './memory.ts';
import { type Operation, OutageError, type Target, type Verdict } from './target.ts';

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
  readonly reads: SyncReads;
  readonly writer: Writer;
  readonly target: Target;
  readonly breaker: Breaker;
  readonly limits: DispatcherLimits;
  readonly metrics: SyncMetrics;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly serviceName: string;
}

/** How a cycle ended. */
export type Cycle = 'idle' | 'progress' | 'failed';

const MAX_CYCLE_BYTES = 4 * 1024 * 1024;
/** Documents of one cycle where each is a call of its own. */
const CALLS_PER_CYCLE = 32;
/** The share of a cycle that is kept for low priority, so that a resync moves on under load: a quarter. */
const RESERVED_SHARE = 4;

/**
 * Sends dirty documents: takes those that are due, *then* loads what the database implies for them now, sends
 * that, and clears the marks that it took. Cycles never overlap, so each document has one sender.
 */
export class Dispatcher {
  /** The generation that documents carry. */
  generation = 1;
  readonly #options: DispatcherOptions;
  readonly #memory: Memory;
  #failures = 0;
  #retryAfterMs = 0;
  #lastError = '';
  #lastFailed: string | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#memory = new Memory();
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
    this.#memory.distrustAllUntil(performance.now() + this.#options.limits.settleMs);
  }

  /** Whether something that was sent may still be applied. */
  get unsettled(): boolean {
    return this.#memory.unsettled(performance.now());
  }

  /**
   * Sends what is due, once.
   * @param stopping from its abort on no call begins
   * @param cutOff ends the calls that run
   * @throws DatabaseError; OutageError where the collection is missing
   */
  async cycle(stopping: AbortSignal, cutOff: AbortSignal): Promise<Cycle> {
    const { breaker, reads } = this.#options;
    if (breaker.state === 'open') return 'idle';
    let due = await this.#take(breaker.state === 'half_open');
    if (due.length === 0) return 'idle';
    const states = await reads.load(due, MAX_CYCLE_BYTES);
    due = due.slice(0, states.length);
    const operations = due.map((document, index) => this.#operation(document, states[index]!));
    const results = await this.#sendAll(operations, stopping, cutOff);
    return await this.#settle(due, results);
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

  async #take(probing: boolean): Promise<DueDocument[]> {
    const { reads, target, now } = this.#options;
    const time = now() * 1000;
    if (probing) {
      // One call decides. It is not made with the document that failed last, where there is another.
      const due = [...(await reads.due(0, time, 2)), ...(await reads.due(1, time, 2))];
      const other = due.find((document) => documentId(document) !== this.#lastFailed);
      return other ? [other] : due.slice(0, 1);
    }
    const size = target.batchSize === 1 ? target.concurrency * CALLS_PER_CYCLE : target.batchSize;
    const low = await reads.due(1, time, size);
    const reserved = Math.min(low.length, Math.ceil(size / RESERVED_SHARE));
    const high = await reads.due(0, time, size - reserved);
    return interleave(high, low.slice(0, size - high.length));
  }

  #operation(due: DueDocument, state: Parameters<typeof toDocument>[1] | null): Operation {
    const id = documentId(due);
    if (state === null) return { kind: 'delete', id };
    const document = toDocument(due, state, {
      serviceName: this.#options.serviceName,
      generation: this.generation,
    });
    return { kind: 'put', id, document, isNew: due.sinceTime === state.createTime };
  }

  /** Sends operations in calls of the target's size, several at a time; undefined for what was not sent. */
  async #sendAll(
    operations: readonly Operation[],
    stopping: AbortSignal,
    cutOff: AbortSignal,
  ): Promise<(Verdict | OutageError | undefined)[]> {
    const { target } = this.#options;
    const results: (Verdict | OutageError | undefined)[] = operations.map(() => undefined);
    let next = 0;
    let stopped = false;
    const lane = async () => {
      while (next < operations.length && !stopped && !stopping.aborted) {
        const first = next;
        next = Math.min(operations.length, first + target.batchSize);
        const call = operations.slice(first, next);
        try {
          const verdicts = await this.#call(call, cutOff);
          for (const [offset, verdict] of verdicts.entries()) results[first + offset] = verdict;
        } catch (error) {
          if (error instanceof OutageError) {
            for (const offset of call.keys()) results[first + offset] = error;
            // A single document's outage may be its own; one of a whole batch is everyone's.
            stopped = target.batchSize > 1;
            continue;
          }
          stopped = true;
          if (!(error instanceof BreakerOpenError)) throw error;
        }
      }
    };
    // Not before all have ended: a document would have two senders else.
    for (const ended of await Promise.allSettled(Array.from({ length: target.concurrency }, lane)))
      if (ended.status === 'rejected') throw ended.reason;
    return results;
  }

  async #call(operations: readonly Operation[], cutOff: AbortSignal): Promise<Verdict[]> {
    const { target, breaker, limits, metrics } = this.#options;
    const started = performance.now();
    try {
      return await breaker.run(async () => {
        const limit = AbortSignal.timeout(limits.callTimeoutMs);
        const verdicts = await target.send(operations, AbortSignal.any([cutOff, limit]));
        // A refusal that may not be the document's own counts against the index.
        const doubtful = verdicts.find((verdict) => verdict.kind === 'refused' && !verdict.certain);
        if (doubtful !== undefined) throw new Doubt(verdicts);
        return verdicts;
      });
    } catch (error) {
      if (error instanceof Doubt) return error.verdicts;
      throw error;
    } finally {
      metrics.sendDuration.observe((performance.now() - started) / 1000);
    }
  }

  /** Clears, postpones and parks, in the transaction of the next batch of writes. */
  async #settle(
    due: readonly DueDocument[],
    results: readonly (Verdict | OutageError | undefined)[],
  ): Promise<Cycle> {
    const { writer, now, metrics, logger } = this.#options;
    const time = now();
    const elapsed = performance.now();
    const cleared: DueDocument[] = [];
    const postponed: Parameters<typeof postpone>[1][number][] = [];
    let outage: OutageError | undefined;
    for (const [index, document] of due.entries()) {
      const result = results[index];
      const id = documentId(document);
      if (result === undefined) continue;
      if (result instanceof OutageError) {
        outage = result;
        metrics.documents.inc({ outcome: 'outage' });
        this.#lastFailed = id;
        if (result.unanswered) this.#memory.distrust(id, elapsed + this.#options.limits.settleMs);
        const wait = this.#memory.fail(id, this.#options);
        if (this.#options.target.batchSize === 1)
          postponed.push({ ...document, nextTryTime: (time + wait) * 1000, error: null });
      } else if (result.kind === 'acknowledged') {
        metrics.documents.inc({ outcome: 'acknowledged' });
        const again = this.#memory.pass(id, elapsed);
        if (again === undefined) cleared.push(document);
        else postponed.push({ ...document, nextTryTime: Math.ceil((time + again) * 1000), error: null });
      } else {
        this.#lastFailed = id;
        this.#lastError = `${id}: ${result.error}`;
        const counted = this.#memory.counts(id, result.certain);
        const wait = this.#memory.fail(id, this.#options);
        const attempts = document.attempts + (counted ? 1 : 0);
        const parked = attempts >= this.#options.limits.maxAttempts;
        metrics.documents.inc({ outcome: parked ? 'parked' : 'refused' });
        if (parked) logger.warn({ document_id: id, attempts, error: result.error }, 'document parked');
        postponed.push({
          ...document,
          attempts,
          error: result.error,
          nextTryTime: parked ? PARKED : (time + wait) * 1000,
        });
      }
    }
    if (outage) {
      if (!outage.collectionMissing) this.failed(outage);
      logger.warn(
        { error: oneLine(outage), breaker: this.#options.breaker.state },
        'the search index is failing',
      );
    } else if (cleared.length > 0) {
      this.#failures = 0;
      this.#retryAfterMs = 0;
    }
    if (cleared.length > 0 || postponed.length > 0)
      await writer.join(async (tx) => {
        acknowledge(tx, cleared, time * 1000);
        postpone(tx, postponed);
      });
    for (const document of cleared) this.#memory.forget(documentId(document));
    if (outage?.collectionMissing) throw outage;
    return outage ? 'failed' : 'progress';
  }
}

/** Low priority's share of the cycle's places is also its share of the cycle's bytes. */
function interleave<T>(high: readonly T[], low: readonly T[]): T[] {
  const mixed: T[] = [];
  for (let h = 0, l = 0; h < high.length || l < low.length; ) {
    for (let n = 1; n < RESERVED_SHARE && h < high.length; n++) mixed.push(high[h++]!);
    if (l < low.length) mixed.push(low[l++]!);
  }
  return mixed;
}

/** Verdicts of which some count as a failure of the index. */
class Doubt extends Error {
  readonly verdicts: Verdict[];
  constructor(verdicts: Verdict[]) {
    super('refused for a reason that may not be the document’s own');
    this.verdicts = verdicts;
  }
}

/** The first line of an error's message. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.slice(0, 300);
}
