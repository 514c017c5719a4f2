import type { Signal } from '../util/abort.ts';
import type { BatchMember, Outcome } from './batch.ts';
import { sequenceKeyString } from './model.ts';
import type { QueueEntry } from './write-queue.ts';
import { type Answer, type Write, writeBytes } from './writes.ts';

/** How long a caller waits for the outcome of a write. */
export interface WaitOptions {
  /** Aborted when the caller is gone or its time is over; its reason is what the caller gets. */
  readonly signal: Signal;
  /** When the caller's time is over, milliseconds since the epoch. */
  readonly deadline: number;
}

/**
 * A write on its way, and everyone who waits for its outcome: its caller, and callers of equal requests under
 * the same request id. It is wanted for as long as one of them waits.
 */
export class PendingWrite implements QueueEntry, BatchMember {
  readonly write: Write;
  readonly hash: string | undefined;
  readonly sequenceName: string;
  readonly bytes: number;
  /** When it arrived, `performance.now()`. */
  readonly arrived = performance.now();
  place: QueueEntry['place'] = undefined;
  readonly #onUnwanted: (entry: PendingWrite) => void;
  readonly #waiters = new Set<Waiter>();

  /** @param onUnwanted called when the last one who waited has gone */
  constructor(write: Write, hash: string | undefined, onUnwanted: (entry: PendingWrite) => void) {
    this.write = write;
    this.hash = hash;
    this.sequenceName = sequenceKeyString(write.sequence);
    this.bytes = writeBytes(write);
    this.#onUnwanted = onUnwanted;
  }

  /** The latest deadline of those who wait, milliseconds since the epoch. */
  get deadline(): number {
    let latest = 0;
    for (const { options } of this.#waiters) latest = Math.max(latest, options.deadline);
    return latest;
  }

  /** Waits for the outcome. Rejects with the signal's reason when it is aborted first. */
  wait(options: WaitOptions): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const abort = () => {
        this.#waiters.delete(waiter);
        reject(options.signal.reason);
        if (this.#waiters.size === 0) this.#onUnwanted(this);
      };
      const waiter: Waiter = { options, resolve, reject, abort };
      this.#waiters.add(waiter);
      options.signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** Tells everyone who waits. */
  settle(outcome: Outcome): void {
    for (const { options, resolve, reject, abort } of this.#waiters) {
      options.signal.removeEventListener('abort', abort);
      if (outcome.error) reject(outcome.error);
      else resolve(outcome.answer);
    }
    this.#waiters.clear();
  }
}

interface Waiter {
  readonly options: WaitOptions;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  readonly abort: () => void;
}
