import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../db/errors.ts';
import { findBatch } from '../db/queries/changes.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import { Admission } from './admission.ts';
import { type Outcome, type Postponed, runBatch } from './batch.ts';
import { callerError } from './caller-error.ts';
import { DeadlineExceededError } from './errors.ts';
import type { ElementType } from './model.ts';
import type { PendingWrite } from './pending-write.ts';
import { type QueueUse, WriteQueue } from './write-queue.ts';
import type { WriterOptions } from './writer-options.ts';

/** What a batch holds in memory at most, beyond its first member. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** A batch ends after this, whatever deadlines its members have. */
const MAX_TRANSACTION_MS = 30_000;
/** How often a batch runs that other transactions are in the way of. */
const MAX_ATTEMPTS = 10;
/** How long the outcome of a commit is looked for where the database does not answer, and how often. */
const MAX_LOOK_MS = 5_000;
const LOOK_AGAIN_MS = 200;

/**
 * A lane of the writer: while one transaction is in flight the next batch gathers, and starts when it has committed.
 * Lanes run side by side where the database lets several write; a sequence is always in the same one.
 */
export class Lane {
  readonly #options: WriterOptions;
  readonly #queue: WriteQueue<PendingWrite>;
  readonly #onDraw: () => void;
  #tasks: Task[] = [];
  #running: Promise<void> | undefined;
  readonly #admission = new Admission();

  /**
   * @param use what all lanes hold together, which their bounds are for
   * @param onDraw called when writes have left the queue
   */
  constructor(options: WriterOptions, use: QueueUse, onDraw: () => void) {
    this.#options = options;
    this.#onDraw = onDraw;
    const { maxQueue, maxQueueBytes } = options.limits;
    this.#queue = new WriteQueue({ maxEntries: maxQueue, maxBytes: maxQueueBytes }, use);
  }

  /** Queues a write; false where that would break a bound. */
  offer(entry: PendingWrite): boolean {
    if (!this.#queue.offer(entry)) return false;
    this.#running ??= this.#pump();
    return true;
  }

  /** Takes a write out before its turn; false where it does not wait. */
  remove(entry: PendingWrite): boolean {
    return this.#queue.remove(entry);
  }

  /** Has a task run in the next transaction, behind its writes. */
  join(task: Task): void {
    this.#tasks.push(task);
    this.#running ??= this.#pump();
  }

  /** About how long a write of this sequence would wait that came now, milliseconds. */
  expectedWaitMs(sequenceName: string): number {
    const draws = this.#queue.drawsBefore(sequenceName, this.#options.limits.maxBatch, MAX_BATCH_BYTES);
    return this.#admission.expectedWaitMs(draws, performance.now());
  }

  /** The time in which what waits now is gone, milliseconds. */
  get backlogMs(): number {
    const batches = Math.ceil(this.#queue.entries / this.#options.limits.maxBatch);
    return this.#admission.expectedWaitMs(batches, performance.now());
  }

  /** Resolves when everything that was taken is settled. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #pump(): Promise<void> {
    // One turn of the event loop collects the burst that the first write belongs to.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#queue.draw(this.#options.limits.maxBatch, MAX_BATCH_BYTES);
      const tasks = this.#tasks.splice(0);
      this.#onDraw();
      if (batch.length === 0 && tasks.length === 0) break;
      if (batch.length > 0) this.#admission.begin(performance.now());
      await this.#run(batch, tasks);
      if (batch.length > 0) this.#admission.end(performance.now());
    }
    this.#running = undefined;
  }

  /** Runs a batch, and tasks behind it, and settles all of them. Never throws. */
  async #run(entries: readonly PendingWrite[], tasks: readonly Task[] = [], attempts = 1): Promise<void> {
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
      if (settled !== 'committed') return await this.#fail(batch, tasks, settled, attempts);
    }
    for (const done of attempt.finish) done();
    const postponed: PendingWrite[] = [];
    for (const [index, entry] of batch.entries()) {
      const outcome = attempt.outcomes[index];
      if (outcome) entry.settle(outcome);
      else postponed.push(entry);
    }
    if (batch.length > postponed.length) this.#options.onCommit();
    if (postponed.length === 0) return;
    // Each in a batch of its own, which waits for the sequence.
    for (const entries of Map.groupBy(postponed, ({ sequenceName }) => sequenceName).values())
      await this.#run(entries);
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
    const written = writtenBy(batch, attempt.outcomes);
    const notWritten = new DatabaseError('unavailable', error.message, error);
    if (written.length === 0) return notWritten;
    const until = performance.now() + MAX_LOOK_MS;
    for (;;) {
      try {
        const found = await this.#options.connection.transaction(
          (tx) => findBatch(tx, written, attempt.token),
          MAX_TRANSACTION_MS,
        );
        return found ? 'committed' : notWritten;
      } catch (again) {
        this.#options.onError(again);
        if (performance.now() > until || !mayPass(again)) return error;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }

  /**
   * Settles a batch whose transaction failed. Where another one was in the way, it is run again. Where the statements
   * were refused, the tasks are run each by itself, and the batch without them is narrowed down by halving.
   */
  async #fail(
    batch: readonly PendingWrite[],
    tasks: readonly Task[],
    error: unknown,
    attempts: number,
  ): Promise<void> {
    if (error instanceof DatabaseError && error.kind === 'conflict' && attempts < MAX_ATTEMPTS)
      return await this.#run(batch, tasks, attempts + 1);
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
}

/** A transaction on its way. */
interface Attempt {
  /** Random and fresh: in its change rows, the proof that it was committed. */
  readonly token: string;
  outcomes: (Outcome | Postponed)[];
  /** What is called once it has committed. */
  readonly finish: (() => void)[];
}

/** Something of the service's own that shares a batch's transaction. */
export interface Task {
  /** Does it; what is returned is called once it has committed. */
  run(tx: WriteTransaction): Promise<() => void>;
  fail(error: unknown): void;
}

/** The sequences that a batch has changed, each with the lowest revision that it can have given it. */
function writtenBy(
  batch: readonly PendingWrite[],
  outcomes: readonly (Outcome | Postponed)[],
): (readonly [scope: string, elementType: ElementType, revision: number])[] {
  const lowest = new Map<string, readonly [string, ElementType, number]>();
  for (const [index, { write, sequenceName }] of batch.entries()) {
    const answer = outcomes[index]?.answer;
    if (!answer) continue;
    const revision = Math.min(answer.revision, lowest.get(sequenceName)?.[2] ?? answer.revision);
    lowest.set(sequenceName, [write.sequence.scope, write.sequence.elementType, revision]);
  }
  return [...lowest.values()];
}

/** Whether a look that failed is worth another. */
function mayPass(error: unknown): boolean {
  return error instanceof DatabaseError && (error.kind === 'unavailable' || error.kind === 'conflict');
}

function outcomeLabel(error: unknown): string {
  return error instanceof DatabaseError ? error.kind : 'failed';
}
