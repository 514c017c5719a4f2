import { randomBytes } from 'node:crypto';
import { createResync, finishResync, isCovered, markNext, nextGeneration } from '../db/queries/resync.ts';
import {
  type NamedDocument,
  retarget,
  type SyncReads,
  saveTarget,
  UNKNOWN_TARGET,
  unpark,
} from '../db/queries/sync.ts';
import type { WriteConnection, WriteTransaction } from '../db/transaction.ts';
import {
  DocumentParkedError,
  DrainingError,
  InvalidFieldError,
  SyncDisabledError,
} from '../domain/errors.ts';
import type { ElementType, SequenceKey } from '../domain/model.ts';
import { decodePageToken, encodePageToken } from '../domain/page-token.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PAGE_TOKEN_RULE } from '../domain/reader.ts';
import type { ParkedDocumentView, ResyncProgress, SyncControl, SyncStatus } from '../domain/sync-control.ts';
import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { SyncMetrics } from '../metrics.ts';
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.ts';
import { type Claims, MemoryClaims } from './claims.ts';
import { Dispatcher, type DispatcherLimits } from './dispatcher.ts';
import { documentId, parseDocumentId } from './document.ts';
import { LeasedClaims } from './leased-claims.ts';
import { Memory } from './memory.ts';
import { OutageError, type Target } from './target.ts';
import { Wakeable } from './wakeable.ts';

/** What the following of the index is made of. */
export interface SyncOptions {
  readonly reads: SyncReads;
  readonly writer: Writer;
  /** Where other processes write the same database: for short transactions of the service's own. */
  readonly shared?: WriteConnection | undefined;
  /** Undefined where no index is configured, or nobody sends to it. */
  readonly target: Target | undefined;
  /** Whether this process sends; where it does not, others may. */
  readonly sends: boolean;
  /** Tells other processes: there is something to send, or callers that wait may have to look again. */
  readonly tell?: (hint: 'dirty' | 'cleared') => void;
  readonly limits: DispatcherLimits;
  readonly breaker: BreakerOptions;
  readonly metrics: SyncMetrics;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly serviceName: string;
}

/** Marks are looked for this often where nothing wakes the loop. */
const POLL_MS = 5_000;
/** Documents that a resync marks in one transaction, and how few of them may be left before it marks more. */
const RESYNC_CHUNK = 5_000;
/** A task of the service's own is given up after this. */
const TASK_MS = 30_000;
const COUNTS_AGE_MS = 2_000;
const COMPARE_EVERY_MS = 60_000;
/** What older generations left could not be deleted: tried again after this. */
const FINISH_AGAIN_MS = 5_000;
const STOP_GRACE_MS = 2_000;
/** A lease outlives the call before it and its own. */
const LEASE_CALLS = 3;

/**
 * Keeps the search index true: a loop that sends what is dirty, a job that marks a resync, and what operators see
 * of both. Not a log of events but a set of dirty documents: order and repetition do not matter, and the set never
 * outgrows the data.
 */
export class Sync implements SyncControl {
  readonly #options: SyncOptions;
  readonly #breaker: Breaker | undefined;
  readonly #dispatcher: Dispatcher | undefined;
  readonly #claims: Claims | undefined;
  /** Ends WaitForSync. */
  readonly #draining = new AbortController();
  /** Ends the loop after its round. */
  readonly #stopping = new AbortController();
  readonly #transition = new Wakeable();
  readonly #wake = new Wakeable();
  /** Woken whenever documents have been cleared: WaitForSync looks again. */
  readonly #cleared = new Wakeable();
  #loop: Promise<void> | undefined;
  #prepared = false;
  /** Whether the index has said that it has no such collection. */
  #missing = false;
  #accepted = false;
  #notice = '';
  #counts: { readonly at: number; readonly value: ReturnType<SyncReads['counts']> } | undefined;
  #comparedAt = Number.NEGATIVE_INFINITY;
  /** Of the documents that are sent from now on, where no other process says so. */
  #generation = 1;
  /** Whether the last one to send may have been cut off; until when that matters, on the clock of `performance.now()`. */
  #doubtEnd: number | undefined;
  /** When the end of a resync may be tried again, on the clock of `performance.now()`. */
  #finishAfter = 0;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { target, metrics } = options;
    if (target === undefined || !options.sends) return;
    this.#breaker = new Breaker(options.breaker, (state) => {
      metrics.breakerTransitions.inc({ state });
      this.#showBreaker(state);
      this.#transition.wake();
    });
    this.#showBreaker('closed');
    const memory = new Memory();
    this.#claims = this.#createClaims(target, memory);
    this.#dispatcher = new Dispatcher({
      ...options,
      target,
      breaker: this.#breaker,
      claims: this.#claims,
      memory,
      onChange: () => {
        this.#cleared.wake();
        this.#wake.wake();
        options.tell?.('cleared');
      },
    });
  }

  #createClaims(target: Target, memory: Memory): Claims {
    const { shared, limits, logger } = this.#options;
    const leaseMs = limits.callTimeoutMs * LEASE_CALLS;
    if (shared === undefined)
      return new MemoryClaims({ ...this.#options, leaseMs, generation: () => this.#generation });
    return new LeasedClaims({
      ...this.#options,
      connection: shared,
      memory,
      leaseMs,
      settleMs: limits.settleMs,
      identity: target.identity,
      onRetargeted: () => {
        this.#accepted = false;
      },
      onError: (error) => logger.error({ err: error }, 'leases were not given back'),
    });
  }

  /** Starts to send. */
  start(): void {
    const { target, logger } = this.#options;
    if (target === undefined || this.#dispatcher === undefined) {
      logger.info('sync disabled');
      return;
    }
    logger.info({ target: target.identity }, 'sync enabled');
    this.#loop ??= this.#run();
  }

  /** Looks for dirty documents at once; a commit calls it. */
  wake(): void {
    this.#wake.wake();
  }

  #more(): void {
    this.wake();
    this.#options.tell?.('dirty');
  }

  /** Another process has cleared documents: WaitForSync looks again. */
  wakeWaiting(): void {
    this.#cleared.wake();
  }

  /** Ends every WaitForSync, now and to come, with DRAINING; sending goes on. */
  drain(): void {
    this.#draining.abort(new DrainingError());
  }

  /** Ends what is being sent; a stop does not wait for it. */
  cutOff(): void {
    this.#stopping.abort();
    this.#dispatcher?.halt();
    this.#dispatcher?.cutOff();
  }

  /** Lets what is being sent end for two seconds, cuts it off then, and resolves when nothing runs. */
  async stop(): Promise<void> {
    this.drain();
    this.#stopping.abort();
    this.#dispatcher?.halt();
    const grace = setTimeout(() => this.#dispatcher?.cutOff(), STOP_GRACE_MS);
    await this.#loop;
    clearTimeout(grace);
    this.#breaker?.close();
    await this.#options.target?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const waitMs = await this.#step(signal);
        if (waitMs > 0) await this.#wake.wait(waitMs, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof OutageError) {
          this.#missing ||= error.collectionMissing;
          this.#prepared &&= !error.collectionMissing;
        } else this.#options.logger.error({ err: error }, 'sync failed');
        this.#dispatcher!.failed(error);
        // Commits go on meanwhile: they must not shorten the wait.
        await new Wakeable().wait(Math.max(50, this.#dispatcher!.waitMs()), signal);
      }
    }
    await this.#dispatcher!.stop();
    // Where something may still be applied, the next start has to know.
    if (this.#options.shared === undefined && this.#accepted && !this.#dispatcher!.unsettled)
      await this.#saveTarget(0).catch((error) =>
        this.#options.logger.error({ err: error }, 'sync did not stop cleanly'),
      );
  }

  /** One round of the loop; returns how long to wait before the next. */
  async #step(signal: AbortSignal): Promise<number> {
    const dispatcher = this.#dispatcher!;
    if (this.#breaker!.state === 'open' && !dispatcher.failing) {
      await this.#transition.wait(POLL_MS, signal);
      return 0;
    }
    if (!this.#accepted && !(await this.#accept())) return POLL_MS;
    await this.#claims!.mindTheClock(Math.max(this.#options.limits.maxWaitMs, this.#options.limits.settleMs));
    await this.#forgetDoubt();
    if (!this.#prepared) await this.#prepare(signal);
    const marked = await this.#markResync(signal);
    const cycle = await dispatcher.cycle();
    await this.#compare(signal);
    if (cycle === 'progress') return 0;
    if (cycle === 'failed') {
      await new Wakeable().wait(Math.max(50, dispatcher.waitMs()), signal);
      return 0;
    }
    if (marked) return 0;
    return await this.#idleMs();
  }

  async #idleMs(): Promise<number> {
    const next = await this.#claims!.nextDueMs();
    return next === undefined ? POLL_MS : Math.min(POLL_MS, Math.max(50, next));
  }

  /** A transaction of its own where others write too: what it waits for must not hold up a batch of writes. */
  async #task<T>(task: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    const { shared, writer } = this.#options;
    return await (shared === undefined ? writer.join(task) : shared.transaction(task, TASK_MS));
  }

  /** Whether the documents of this database go to this target: they were sent to it, or to none before. */
  async #accept(): Promise<boolean> {
    const { reads, target, logger } = this.#options;
    const row = await reads.target();
    if (row !== undefined && row.identity !== UNKNOWN_TARGET && row.identity !== target!.identity) {
      const notice = `the documents were last sent to ${row.identity}; run "cli resync" to send them to ${target!.identity}`;
      if (this.#notice !== notice) logger.warn(notice);
      this.#notice = notice;
      return false;
    }
    this.#notice = '';
    if (row?.sending === 1) {
      this.#dispatcher!.distrust();
      this.#doubtEnd = performance.now() + this.#options.limits.settleMs;
    }
    // A Resync may have been asked for since the row was read.
    this.#generation = Math.max(this.#generation, row?.generation ?? 1);
    this.#accepted = true;
    // Where there are several, nobody can say for all that nobody sends; there the leases tell who does.
    await this.#saveTarget(this.#options.shared === undefined || row?.sending === 1 ? 1 : 0);
    return true;
  }

  /** What may have been sent before the start has been applied by now, or never will be. */
  async #forgetDoubt(): Promise<void> {
    if (this.#options.shared === undefined || this.#doubtEnd === undefined) return;
    if (performance.now() < this.#doubtEnd) return;
    await this.#saveTarget(0);
    this.#doubtEnd = undefined;
  }

  async #saveTarget(sending: 0 | 1): Promise<void> {
    const { target } = this.#options;
    await this.#task(async (tx) => {
      saveTarget(tx, { identity: target!.identity, generation: this.#generation, sending });
    });
  }

  /**
   * Creates the collection where it is missing; into an empty one everything is sent anew. That is noted before the
   * collection is made, where it is known to be missing: as soon as it is there others may fill it, and nobody sees
   * any more that it was empty.
   */
  async #prepare(signal: AbortSignal): Promise<void> {
    const { reads, target, limits } = this.#options;
    const known = (await reads.target())?.generation ?? 1;
    if (this.#missing) await this.#sendAnew(known);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(limits.callTimeoutMs)]);
    const outcome = await target!.prepare(bounded, () => this.#sendAnew(known));
    if (outcome === 'empty') await this.#sendAnew(known);
    this.#prepared = true;
    this.#missing = false;
  }

  /** Begins a Resync of everything, where there is something, and none covers it that was begun after `known`. */
  async #sendAnew(known: number): Promise<void> {
    const { reads, target, logger } = this.#options;
    if (!(await reads.anyClean())) return;
    if ((await this.#beginResync(null, null, known)) !== undefined)
      logger.info({ target: target!.identity }, 'the collection is empty; everything is sent anew');
  }

  /** Marks the next chunk of the running resync, or ends it; whether there was something to do. */
  async #markResync(signal: AbortSignal): Promise<boolean> {
    const { reads, now, target, limits, logger, metrics } = this.#options;
    const resync = await reads.resync();
    if (resync === undefined) {
      metrics.resyncProgress.set(1);
      return false;
    }
    const backlog = await reads.backlog(RESYNC_CHUNK);
    metrics.resyncProgress.set(resync.total === 0 ? 1 : Math.max(0, resync.marked - backlog) / resync.total);
    if (resync.markFinishTime === null) {
      if (backlog >= RESYNC_CHUNK) return false;
      const mark = randomBytes(8).toString('base64url');
      const marked = await this.#task((tx) => markNext(tx, resync, RESYNC_CHUNK, mark, now() * 1000));
      return marked !== undefined;
    }
    if (backlog > 0 || (await reads.dirtyBefore(resync.scope, resync.elementType, resync.markFinishTime)) > 0)
      return false;
    if (performance.now() < this.#finishAfter) return false;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(limits.callTimeoutMs)]);
    try {
      if (!(await target!.deleteOlder(resync, resync.generation, bounded)))
        logger.warn(
          { generation: resync.generation },
          'the index cannot be searched for what older generations left; it stays there',
        );
    } catch (error) {
      if (!(error instanceof OutageError) || error.collectionMissing) throw error;
      // Documents that can be sent do not wait for what cannot be deleted.
      this.#finishAfter = performance.now() + FINISH_AGAIN_MS;
      logger.warn({ error: error.message, generation: resync.generation }, 'a resync could not be finished');
      return false;
    }
    await this.#task(async (tx) => finishResync(tx, resync.generation, now() * 1000));
    logger.info({ generation: resync.generation, documents: resync.marked }, 'resync finished');
    return true;
  }

  /** Measures what the index holds against what the database implies, now and then. */
  async #compare(signal: AbortSignal): Promise<void> {
    const { reads, target, metrics, limits } = this.#options;
    if (performance.now() - this.#comparedAt < COMPARE_EVERY_MS) return;
    this.#comparedAt = performance.now();
    metrics.expectedDocuments.set(await reads.expected());
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(limits.callTimeoutMs)]);
    const count = await target!.count(bounded).catch(() => undefined);
    if (count !== undefined) metrics.indexDocuments.set(count);
  }

  /** Sets the gauges that are counted; called when metrics are read. */
  async measure(): Promise<void> {
    const { metrics, now } = this.#options;
    const { dirty, parked, oldestTime } = await this.#count();
    metrics.dirty.set(dirty);
    metrics.parked.set(parked);
    metrics.oldestAge.set(oldestTime === null ? 0 : Math.max(0, now() - oldestTime / 1000) / 1000);
  }

  /** The counts, a few seconds old at most: they look at every dirty document. */
  #count(): ReturnType<SyncReads['counts']> {
    const now = performance.now();
    if (this.#counts === undefined || now - this.#counts.at > COUNTS_AGE_MS)
      this.#counts = { at: now, value: this.#options.reads.counts() };
    return this.#counts.value;
  }

  #showBreaker(state: BreakerState): void {
    for (const each of ['closed', 'open', 'half_open'] as const)
      this.#options.metrics.breakerState.set({ state: each }, each === state ? 1 : 0);
  }

  async status(): Promise<SyncStatus> {
    const { reads, target, now } = this.#options;
    const { dirty, parked, oldestTime } = await this.#count();
    return {
      enabled: target !== undefined,
      target: target?.identity ?? '',
      dirty,
      parked,
      oldestAgeSeconds: oldestTime === null ? 0 : Math.max(0, now() - oldestTime / 1000) / 1000,
      breakerState: this.#breaker?.state ?? '',
      lastError: this.#notice || (this.#dispatcher?.lastError ?? ''),
      resync: await this.#progress(reads),
    };
  }

  async #progress(reads: SyncReads): Promise<ResyncProgress | undefined> {
    const resync = await reads.resync();
    if (resync === undefined) return undefined;
    const { generation, marked, total } = resync;
    return { generation, marked, total, remaining: await reads.backlog(Number.MAX_SAFE_INTEGER) };
  }

  async listParked(
    pageSize: number,
    pageToken: string,
  ): Promise<{ documents: ParkedDocumentView[]; nextPageToken: string }> {
    const limit = Math.min(pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize, MAX_PAGE_SIZE);
    const query = ['ListParked'];
    const cursor = pageToken === '' ? [0, 0, 0] : decodePageToken(query, pageToken, 3);
    if (cursor === undefined)
      throw new InvalidFieldError([{ field: 'page_token', description: PAGE_TOKEN_RULE }]);
    const [sequenceId, elementId, versionNumber] = cursor as [number, number, number];
    const rows = await this.#options.reads.parked({ sequenceId, elementId, versionNumber }, limit + 1);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      documents: page.map((row) => ({
        documentId: documentId(row),
        attempts: row.attempts,
        error: row.error ?? '',
      })),
      nextPageToken:
        rows.length > limit && last
          ? encodePageToken(query, [last.sequenceId, last.elementId, last.versionNumber])
          : '',
    };
  }

  async retryParked(documentIds: readonly string[] | 'all'): Promise<number> {
    const documents =
      documentIds === 'all'
        ? documentIds
        : documentIds
            .map(parseDocumentId)
            .filter((name) => name !== undefined)
            .map(
              ({ scope, elementType, elementId, versionNumber }): NamedDocument => [
                scope,
                elementType,
                elementId,
                versionNumber,
              ],
            );
    const retried = await this.#task((tx) => unpark(tx, documents));
    this.#more();
    return retried;
  }

  async resync(scope: string | undefined, elementType: ElementType | undefined): Promise<number> {
    if (this.#options.target === undefined) throw new SyncDisabledError();
    const generation = await this.#beginResync(scope ?? null, elementType ?? null);
    this.#more();
    return generation;
  }

  /**
   * Notes a new generation and the target it is sent to, in one transaction.
   * @param known where others may have begun the same since: the generation before; then undefined is returned
   */
  async #beginResync(scope: string | null, elementType: string | null): Promise<number>;
  async #beginResync(scope: null, elementType: null, known: number): Promise<number | undefined>;
  async #beginResync(
    scope: string | null,
    elementType: string | null,
    known?: number,
  ): Promise<number | undefined> {
    const { target, now } = this.#options;
    const generation = await this.#task(async (tx) => {
      if (known !== undefined && (await isCovered(tx, known))) return undefined;
      const next = await nextGeneration(tx);
      await createResync(tx, { scope, elementType }, next, now() * 1000);
      retarget(tx, target!.identity, next);
      return next;
    });
    this.#generation = generation ?? this.#generation;
    return generation;
  }

  async waitForSync(sequence: SequenceKey, revision: number, signal: AbortSignal): Promise<void> {
    const { reads, target } = this.#options;
    if (target === undefined) throw new SyncDisabledError();
    const left = new AbortController();
    const either = AbortSignal.any([signal, this.#draining.signal, left.signal]);
    try {
      for (;;) {
        either.throwIfAborted();
        // Waits from before it looks: many may wait, and a wake-up is kept for one only.
        const cleared = this.#cleared.wait(1_000, either);
        const pending = await reads.pending(sequence.scope, sequence.elementType, revision);
        if (pending === undefined) return;
        if (pending.parked) throw new DocumentParkedError(documentId({ ...sequence, ...pending }));
        await cleared;
      }
    } finally {
      left.abort();
    }
  }
}
