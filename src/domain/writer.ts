import { randomBytes } from 'node:crypto';
import { DatabaseError } from '../db/errors.ts';
import { findBatch } from '../db/queries/changes.ts';
import type { WriteConnection, WriteTransaction } from '../db/transaction.ts';
import type { WriterMetrics } from '../metrics.ts';
import { Admission } from './admission.ts';
import { type Outcome, runBatch } from './batch.ts';
import {
  DatabaseUnavailableError,
  DeadlineExceededError,
  type DomainError,
  DrainingError,
  InternalError,
  OutcomeUnknownError,
  OverloadedError,
} from './errors.ts';
import { PendingWrite, type WaitOptions } from './pending-write.ts';
import { requestHash } from './request-hash.ts';
import { WriteQueue } from './write-queue.ts';
import type { AnswerOf, Write } from './writes.ts';

/** The writer's bounds. */
export interface WriterLimits {
  /** Writes that share a transaction, at most. */
  readonly maxBatch: number;
  /** Writes that wait, at most. */
  readonly maxQueue: number;
  /** Memory that they hold, at most, bytes. */
  readonly maxQueueBytes: number;
  /** Elements that one write may renumber, and versions that it may delete, at most. */
  readonly maxRenumber: number;
}

/** What the writer is made of. */
export interface WriterOptions {
  readonly connection: WriteConnection;
  readonly limits: WriterLimits;
  readonly metrics: WriterMetrics;
  /** The clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of every batch of writes that has committed. */
  readonly onCommit: () => void;
  /** Told of every failure that is not a caller's. */
  readonly onError: (error: unknown) => void;
}

/** What a batch holds in memory at most, beyond its first member. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** A batch ends after this, whatever deadlines its members have. */
const MAX_TRANSACTION_MS = 30_000;

/**
 * The group-commit writer: while one transaction is in flight the next batch gathers, and starts when it has
 * committed. There is no timer, so a lone write waits for nothing; under load the cost of a commit is shared.
 * The idea is that of group commit in databases (DeWitt et al., "Implementation techniques for main memory
 * database systems", SIGMOD 1984).
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: WriteQueue<PendingWrite>;
  readonly #admission = new Admission();
  /** Writes with a request id that are on their way: an equal one joins. */
  readonly #inFlight = new Map<string, PendingWrite>();
  #tasks: Task[] = [];
  #running: Promise<void> | undefined;
  #closing = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#queue = new WriteQueue({
      maxEntries: options.limits.maxQueue,
      maxBytes: options.limits.maxQueueBytes,
    });
  }

  /**
   * Commits a write and returns its answer. An equal write in flight under the same request id is joined.
   * A caller that goes before its batch starts is forgotten unwritten; after that the outcome stands.
   *
   * One whose wait would exceed half of the time that its caller has left is refused at once.
   *
   * @throws DomainError, or the signal's reason
   */
  async submit<W extends Write>(write: W, wait: WaitOptions): Promise<AnswerOf<W>> {
    wait.signal.throwIfAborted();
    if (this.#closing) throw new DrainingError();
    const hash = write.requestId === undefined ? undefined : requestHash(write);
    const key = `${write.sequence.scope}/${write.sequence.elementType} ${write.requestId} ${write.caller}`;
    const running = hash === undefined ? undefined : this.#inFlight.get(key);
    if (running?.hash === hash && running !== undefined) return (await running.wait(wait)) as AnswerOf<W>;

    const entry = new PendingWrite(write, hash, (unwanted) => {
      if (!this.#queue.remove(unwanted)) return;
      // It will never be settled, so from now on nobody may join it.
      if (this.#inFlight.get(key) === unwanted) this.#inFlight.delete(key);
      this.#measure();
    });
    const { maxBatch } = this.#options.limits;
    const draws = this.#queue.drawsBefore(entry.sequenceName, maxBatch, MAX_BATCH_BYTES);
    const expectedMs = this.#admission.expectedWaitMs(draws, performance.now());
    if (expectedMs > (wait.deadline - this.#options.now()) / 2 || !this.#queue.offer(entry)) {
      this.#options.metrics.overloaded.inc();
      throw new OverloadedError('too many writes are waiting', this.#retryAfterMs());
    }
    const answer = entry.wait(wait);
    const owns = hash !== undefined && running === undefined;
    if (owns) this.#inFlight.set(key, entry);
    this.#measure();
    this.#running ??= this.#pump();
    try {
      return (await answer) as AnswerOf<W>;
    } finally {
      if (owns && this.#inFlight.get(key) === entry) this.#inFlight.delete(key);
    }
  }

  /**
   * Runs a task of the service's own in the transaction of the next batch, behind its members, so that it costs no
   * commit of its own while writes come. Where that fails it is run again by itself, and the batch without it.
   *
   * @throws DatabaseError, or what the task threw; DrainingError once the writer is closed
   */
  async join<T>(task: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    if (this.#closing) throw new DrainingError();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = async (tx: WriteTransaction) => {
      const result = await task(tx);
      return () => resolve(result);
    };
    this.#tasks.push({ run, fail: reject });
    this.#running ??= this.#pump();
    return await promise;
  }

  /** Takes no more writes, and resolves when those that were taken are settled. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
  }

  async #pump(): Promise<void> {
    // One turn of the event loop collects the burst that the first write belongs to.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#queue.draw(this.#options.limits.maxBatch, MAX_BATCH_BYTES);
      const tasks = this.#tasks.splice(0);
      this.#measure();
      if (batch.length === 0 && tasks.length === 0) break;
      if (batch.length > 0) this.#admission.begin(performance.now());
      await this.#run(batch, tasks);
      if (batch.length > 0) this.#admission.end(performance.now());
    }
    this.#running = undefined;
  }

  /** Runs a batch, and tasks behind it, and settles all of them. Never throws. */
  async #run(entries: readonly PendingWrite[], tasks: readonly Task[] = []): Promise<void> {
    const now = this.#options.now();
    const batch = entries.filter((entry) => {
      const { deadline } = entry;
      if (deadline > now) return true;
      entry.settle({ error: new DeadlineExceededError() });
      return false;
    });
    if (batch.length === 0 && tasks.length === 0) return;
    const { metrics } = this.#options;
    if (batch.length > 0) metrics.batchSize.observe(batch.length);
    const started = performance.now();
    for (const { arrived } of batch) metrics.wait.observe((started - arrived) / 1000);
    const attempt: Attempt = { token: randomBytes(8).toString('base64url'), outcomes: [], finish: [] };
    try {
      await this.#commit(attempt, batch, tasks, now);
      metrics.transaction.observe({ outcome: 'committed' }, (performance.now() - started) / 1000);
    } catch (error) {
      metrics.transaction.observe({ outcome: outcomeLabel(error) }, (performance.now() - started) / 1000);
      const settled = await this.#settleUnknown(attempt, batch, error);
      if (settled !== 'committed') return await this.#fail(batch, tasks, settled);
    }
    for (const done of attempt.finish) done();
    if (batch.length > 0) this.#options.onCommit();
    for (const [index, entry] of batch.entries()) entry.settle(attempt.outcomes[index]!);
  }

  #commit(
    attempt: Attempt,
    batch: readonly PendingWrite[],
    tasks: readonly Task[],
    now: number,
  ): Promise<void> {
    const { connection, limits } = this.#options;
    const latest = batch.reduce((last, { deadline }) => Math.max(last, deadline), 0);
    return connection.transaction(
      async (tx) => {
        const options = {
          now: () => this.#options.now() * 1000,
          token: attempt.token,
          maxRenumber: limits.maxRenumber,
        };
        if (batch.length > 0) attempt.outcomes = await runBatch(tx, batch, options);
        for (const task of tasks) attempt.finish.push(await task.run(tx));
      },
      batch.length === 0 ? MAX_TRANSACTION_MS : Math.min(MAX_TRANSACTION_MS, Math.max(1, latest - now)),
    );
  }

  /**
   * Where a commit failed in a way that leaves open whether it happened, looks for its token under the same locks.
   * The look commits a write of its own: what a failed commit left in SQLite's log could come back after a crash,
   * until another commit has taken its place.
   *
   * @returns `committed`, or the error that is true of the batch
   */
  async #settleUnknown(
    attempt: Attempt,
    batch: readonly PendingWrite[],
    error: unknown,
  ): Promise<'committed' | unknown> {
    if (!(error instanceof DatabaseError) || error.kind !== 'outcome_unknown' || batch.length === 0)
      return error;
    const keys = batch.map(({ write: { sequence } }) => [sequence.scope, sequence.elementType] as const);
    try {
      const found = await this.#options.connection.transaction(
        (tx) => findBatch(tx, keys, attempt.token),
        MAX_TRANSACTION_MS,
      );
      return found ? 'committed' : new DatabaseError('unavailable', error.message, error);
    } catch (again) {
      this.#options.onError(again);
      return error;
    }
  }

  /**
   * Settles a batch whose transaction failed. Where the statements were refused, the tasks are run each by itself,
   * and the batch without them is narrowed down by halving.
   */
  async #fail(batch: readonly PendingWrite[], tasks: readonly Task[], error: unknown): Promise<void> {
    const environment = error instanceof DatabaseError && error.kind !== 'data';
    if (tasks.length > 0 && !environment && batch.length + tasks.length > 1) {
      await this.#run(batch);
      for (const task of tasks) await this.#run([], [task]);
      return;
    }
    for (const task of tasks) task.fail(error);
    if (error instanceof DatabaseError && error.kind === 'data' && batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      await this.#run(batch.slice(0, half));
      await this.#run(batch.slice(half));
      return;
    }
    if (batch.length === 0) return;
    this.#options.onError(error);
    const told = callerError(error);
    for (const entry of batch) entry.settle({ error: told });
  }

  #measure(): void {
    this.#options.metrics.queued.set(this.#queue.entries);
    this.#options.metrics.queuedBytes.set(this.#queue.bytes);
  }

  /** The time in which what waits now is gone. */
  #retryAfterMs(): number {
    const batches = Math.ceil(this.#queue.entries / this.#options.limits.maxBatch);
    const waitMs = this.#admission.expectedWaitMs(batches, performance.now());
    return Math.round(Math.min(5_000, Math.max(50, waitMs)));
  }
}

/** A transaction on its way. */
interface Attempt {
  /** Random and fresh: in its change rows, the proof that it was committed. */
  readonly token: string;
  outcomes: Outcome[];
  /** What is called once it has committed. */
  readonly finish: (() => void)[];
}

/** Something of the service's own that shares a batch's transaction. */
interface Task {
  /** Does it; what is returned is called once it has committed. */
  run(tx: WriteTransaction): Promise<() => void>;
  fail(error: unknown): void;
}

function outcomeLabel(error: unknown): string {
  return error instanceof DatabaseError ? error.kind : 'failed';
}

function callerError(error: unknown): DomainError {
  if (!(error instanceof DatabaseError)) return new InternalError(error);
  switch (error.kind) {
    case 'unavailable':
      return new DatabaseUnavailableError(error);
    case 'timeout':
      return new DeadlineExceededError();
    case 'outcome_unknown':
      return new OutcomeUnknownError(error);
    case 'data':
      return new InternalError(error);
  }
}
