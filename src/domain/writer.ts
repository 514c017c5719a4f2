import type { WriteTransaction } from '../db/transaction.ts';
import { DrainingError, OverloadedError } from './errors.ts';
import { Lane } from './lane.ts';
import { sequenceKeyString } from './model.ts';
import { PendingWrite, type WaitOptions } from './pending-write.ts';
import { requestHash } from './request-hash.ts';
import type { QueueUse } from './write-queue.ts';
import type { WriterOptions } from './writer-options.ts';
import type { AnswerOf, Write } from './writes.ts';

export type { WriterLimits, WriterOptions } from './writer-options.ts';

/**
 * The group-commit writer: while one transaction is in flight the next batch gathers, and starts when it has
 * committed. There is no timer, so a lone write waits for nothing; under load the cost of a commit is shared.
 * The idea is that of group commit in databases (DeWitt et al., "Implementation techniques for main memory
 * database systems", SIGMOD 1984).
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #use: QueueUse = { entries: 0, bytes: 0 };
  readonly #lanes: readonly Lane[];
  /** Writes with a request id that are on their way: an equal one joins. */
  readonly #inFlight = new Map<string, Joinable>();
  #closing = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    const hooks = {
      onFree: (free: Lane) => {
        for (const lane of this.#lanes) if (lane.isHeldUp) lane.leaveTo(free);
      },
      onDraw: () => this.#measure(),
      onHeldUp: (lane: Lane) => {
        const free = this.#free();
        if (free !== undefined) lane.leaveTo(free);
      },
    };
    this.#lanes = Array.from({ length: options.lanes ?? 1 }, () => new Lane(options, this.#use, hooks));
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
    const key =
      hash === undefined ? '' : `${sequenceKeyString(write.sequence)} ${write.requestId} ${write.caller}`;
    const running = hash === undefined ? undefined : this.#inFlight.get(key)?.entry;
    if (running?.hash === hash && running !== undefined) return (await running.wait(wait)) as AnswerOf<W>;

    const entry = new PendingWrite(write, hash, (unwanted) => {
      if (!this.#lanes.some((lane) => lane.remove(unwanted))) return;
      // It will never be settled, so from now on nobody may join it.
      this.#forget(key, unwanted);
      this.#measure();
    });
    const lane = this.#laneOf(entry.sequenceName);
    const leftMs = wait.deadline - this.#options.now();
    if (lane.expectedWaitMs(entry.sequenceName) > leftMs / 2 || !lane.offer(entry)) {
      this.#options.metrics.overloaded.inc();
      throw new OverloadedError('too many writes are waiting', retryAfterMs(lane));
    }
    const answer = entry.wait(wait);
    const owns = hash !== undefined && running === undefined;
    if (owns) this.#inFlight.set(key, { entry });
    this.#measure();
    try {
      return (await answer) as AnswerOf<W>;
    } finally {
      if (owns) this.#forget(key, entry);
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
    this.#lanes[0]!.join({ run, fail: reject });
    return await promise;
  }

  /** Takes no more writes, and resolves when those that were taken are settled. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    // One that is idle already may still get what waits in another.
    while (this.#lanes.some((lane) => lane.isRunning))
      await Promise.all(this.#lanes.map((lane) => lane.idle()));
  }

  #forget(key: string, entry: PendingWrite): void {
    const joinable = this.#inFlight.get(key);
    if (joinable?.entry !== entry) return;
    joinable.entry = undefined;
    this.#inFlight.delete(key);
  }

  #measure(): void {
    this.#options.metrics.queued.set(this.#use.entries);
    this.#options.metrics.queuedBytes.set(this.#use.bytes);
  }

  /**
   * The one that a sequence is in, so that its writes keep their order; else always the same, unless that is held up by
   * the others' long batch.
   */
  #laneOf(sequenceName: string): Lane {
    if (this.#lanes.length === 1) return this.#lanes[0]!;
    let hash = 0;
    for (let i = 0; i < sequenceName.length; i++) hash = (hash * 31 + sequenceName.charCodeAt(i)) >>> 0;
    const home = this.#lanes[hash % this.#lanes.length]!;
    const has = this.#lanes.find((lane) => lane.has(sequenceName));
    return has ?? (home.isHeldUp ? (this.#free() ?? home) : home);
  }

  #free(): Lane | undefined {
    return this.#lanes.find((lane) => !lane.isHeldUp);
  }
}

/** Emptied when it is taken out of the Map, whose old tables go on holding it: see `LinkedList`. */
interface Joinable {
  entry: PendingWrite | undefined;
}

function retryAfterMs({ backlogMs }: Lane): number {
  return Math.round(Math.min(5_000, Math.max(50, backlogMs)));
}
