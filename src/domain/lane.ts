import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError, type DatabaseErrorKind } from '../db/errors.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import { Admission } from './admission.ts';
import { Attempt } from './attempt.ts';
import type { Outcome, Postponed } from './batch.ts';
import { callerError } from './caller-error.ts';
import { DeadlineExceededError } from './errors.ts';
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

/** A lane is held up when one batch takes longer than this: others take a fraction of it, a large Remove a second. */
const HELD_UP_MS = 20;

/**
 * A lane of the writer: while one transaction is in flight the next batch gathers, and starts when it has committed.
 * Lanes run side by side where the database lets several write. All writes of a sequence that are on their way are in
 * the same one.
 */
export class Lane {
  readonly #options: WriterOptions;
  readonly #queue: WriteQueue<PendingWrite>;
  readonly #hooks: LaneHooks;
  #tasks: Task[] = [];
  #running: Promise<void> | undefined;
  /** The sequences of the batch that runs. */
  #batch: ReadonlySet<string> = NONE;
  #heldUp = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #admission = new Admission();

  /**
   * @param use what all lanes hold together, which their bounds are for
   */
  constructor(options: WriterOptions, use: QueueUse, hooks: LaneHooks) {
    this.#options = options;
    this.#hooks = hooks;
    const { maxQueue, maxQueueBytes } = options.limits;
    this.#queue = new WriteQueue({ maxEntries: maxQueue, maxBytes: maxQueueBytes }, use);
  }

  /** Queues a write; false where that would break a bound. */
  offer(entry: PendingWrite): boolean {
    if (!this.#queue.offer(entry)) return false;
    this.#running ??= this.#pump();
    return true;
  }

  /** Whether writes of a sequence wait or run in it. */
  has(sequenceName: string): boolean {
    return this.#batch.has(sequenceName) || this.#queue.has(sequenceName);
  }

  /** Whether the batch that runs is a long one. */
  get isHeldUp(): boolean {
    return this.#heldUp;
  }

  /** Leaves what waits to another lane, but for the sequences of the batch that runs. */
  leaveTo(other: Lane): void {
    this.#queue.moveTo(other.#queue, this.#batch);
    other.#running ??= other.#pump();
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

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when everything that was taken is settled. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #pump(): Promise<void> {
    // One turn of the event loop collects the burst that the first write belongs to.
    await turn();
    for (;;) {
      this.#hooks.onFree(this);
      const batch = this.#queue.draw(this.#options.limits.maxBatch, MAX_BATCH_BYTES);
      const tasks = this.#tasks.splice(0);
      this.#hooks.onDraw();
      if (batch.length === 0 && tasks.length === 0) break;
      if (batch.length > 0) this.#admission.begin(performance.now());
      this.#watch(batch);
      await this.#run(batch, tasks);
      this.#unwatch();
      if (batch.length > 0) this.#admission.end(performance.now());
      if (this.#queue.entries < this.#options.limits.maxBatch) await oncePolled();
    }
    this.#running = undefined;
  }

  #watch(batch: readonly PendingWrite[]): void {
    this.#unwatch();
    this.#batch = new Set(batch.map(({ sequenceName }) => sequenceName));
    this.#timer = setTimeout(() => {
      this.#heldUp = true;
      this.#hooks.onHeldUp(this);
    }, HELD_UP_MS);
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#heldUp = false;
    this.#batch = NONE;
  }

  /** Runs a batch, and tasks behind it, and settles all of them. Never throws. */
  async #run(
    entries: readonly PendingWrite[],
    tasks: readonly Task[] = [],
    { inFull = false, attempts = 1 }: RunOptions = {},
  ): Promise<void> {
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
    const attempt = new Attempt(batch, {
      now: () => this.#options.now() * 1000,
      token: randomBytes(8).toString('base64url'),
      maxRenumber: this.#options.limits.maxRenumber,
    });
    const finish: (() => void)[] = [];
    try {
      await this.#commit(batch, now, async (tx) => {
        if (batch.length > 0) await attempt.run(tx, { inFull, alone: tasks.length === 0 });
        for (const task of tasks) finish.push(await task.run(tx));
      });
      // One that cannot be read is looked for below.
      await attempt.outcomes();
      metrics.transaction.observe({ outcome: 'committed' }, (performance.now() - started) / 1000);
    } catch (error) {
      metrics.transaction.observe({ outcome: outcomeLabel(error) }, (performance.now() - started) / 1000);
      const settled = batch.length === 0 ? error : await this.#settleUnknown(attempt, error);
      if (attempt.isOptimistic && isKind(settled, 'data'))
        return await this.#run(batch, tasks, { inFull: true });
      if (settled !== 'committed') return await this.#fail(batch, tasks, settled, { inFull, attempts });
    }
    for (const done of finish) done();
    const outcomes = await attempt.outcomes();
    if (outcomes === undefined) return await this.#run(batch, [], { inFull: true });
    await this.#settle(batch, outcomes);
  }

  async #settle(batch: readonly PendingWrite[], outcomes: readonly (Outcome | Postponed)[]): Promise<void> {
    const postponed: PendingWrite[] = [];
    for (const [index, entry] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome) entry.settle(outcome);
      else postponed.push(entry);
    }
    if (batch.length > postponed.length) this.#options.onCommit();
    if (postponed.length === 0) return;
    // Each in a batch of its own, which waits for the sequence; the others' are no longer held up by what comes.
    this.#watch(postponed);
    for (const entries of Map.groupBy(postponed, ({ sequenceName }) => sequenceName).values())
      await this.#run(entries);
  }

  #commit(
    batch: readonly PendingWrite[],
    now: number,
    body: (tx: WriteTransaction) => Promise<void>,
  ): Promise<void> {
    const latest = batch.reduce((last, { deadline }) => Math.max(last, deadline), 0);
    return this.#options.connection.transaction(
      body,
      batch.length === 0 ? MAX_TRANSACTION_MS : Math.min(MAX_TRANSACTION_MS, Math.max(1, latest - now)),
    );
  }

  /**
   * Where a commit failed in a way that leaves open whether it happened, looks for it.
   *
   * @returns `committed`, or the error that is true of the batch
   */
  async #settleUnknown(attempt: Attempt, error: unknown): Promise<'committed' | unknown> {
    if (!isKind(error, 'outcome_unknown')) return error;
    const until = performance.now() + MAX_LOOK_MS;
    for (;;) {
      try {
        const found = await this.#options.connection.transaction(
          (tx) => attempt.look(tx),
          MAX_TRANSACTION_MS,
        );
        if (found === 'not committed') return new DatabaseError('unavailable', error.message, error);
        return found === 'committed' ? found : error;
      } catch (again) {
        this.#options.onError(again);
        const mayPass = isKind(again, 'unavailable') || isKind(again, 'conflict');
        if (performance.now() > until || !mayPass) return error;
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
    { inFull, attempts }: Required<RunOptions>,
  ): Promise<void> {
    if (isKind(error, 'conflict') && attempts < MAX_ATTEMPTS)
      return await this.#run(batch, tasks, { inFull, attempts: attempts + 1 });
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

/** What a lane tells the writer. */
export interface LaneHooks {
  /** It is about to draw a batch. */
  onFree(lane: Lane): void;
  /** Writes have left the queue. */
  onDraw(): void;
  /** Its batch has become a long one. */
  onHeldUp(lane: Lane): void;
}

const NONE: ReadonlySet<string> = new Set();

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Resolves when the event loop has read what had arrived. Who was just answered often calls again at once; without
 * this, half of the callers are always a batch behind, and each pays for its hops to the database and back.
 */
async function oncePolled(): Promise<void> {
  await turn();
  await turn();
}

/** How a batch is run. */
interface RunOptions {
  /** In the long form, though one statement might do. */
  readonly inFull?: boolean;
  /** Which attempt it is, from 1. */
  readonly attempts?: number;
}

/** Something of the service's own that shares a batch's transaction. */
export interface Task {
  /** Does it; what is returned is called once it has committed. */
  run(tx: WriteTransaction): Promise<() => void>;
  fail(error: unknown): void;
}

function isKind(error: unknown, kind: DatabaseErrorKind): error is DatabaseError {
  return error instanceof DatabaseError && error.kind === kind;
}

function outcomeLabel(error: unknown): string {
  return error instanceof DatabaseError ? error.kind : 'failed';
}
