import type { SequenceRow } from '../db/entities/sequence.ts';
import type { Revisions, SequenceKey } from './model.ts';
import { sequenceKeyString } from './model.ts';

/**
 * The counters of a sequence while a batch holds its lock. They change in memory as the batch's members run
 * one after another, and are written back once, at the batch's end.
 */
export class LockedSequence {
  readonly key: SequenceKey;
  /** For messages: `scope/elementType`. */
  readonly name: string;
  /** The row's id; undefined until the sequence is used for the first time. */
  id: number | undefined;
  size = 0;
  revision = 0;
  orderRevision = 0;
  lastChangeTime = 0;
  /** Whether the row has to be written back. */
  touched = false;
  readonly #now: () => number;

  /** @param now the clock, microseconds since the epoch */
  constructor(key: SequenceKey, now: () => number) {
    this.key = key;
    this.name = sequenceKeyString(key);
    this.#now = now;
  }

  /** Takes the counters of the row that was locked. */
  load(row: SequenceRow): void {
    this.id = row.id;
    this.size = row.size;
    this.revision = row.revision;
    this.orderRevision = row.orderRevision;
    this.lastChangeTime = row.lastChangeTime;
  }

  /** The counters as answers carry them. */
  get revisions(): Revisions {
    return { revision: this.revision, orderRevision: this.orderRevision };
  }

  /**
   * Counts a write that changes something.
   * @param ordered whether it changes order or membership
   * @returns the time of the change
   */
  advance(ordered: boolean): number {
    this.revision += 1;
    if (ordered) this.orderRevision = this.revision;
    return this.tick();
  }

  /** A time for a change row: later than every earlier one of this sequence, also where the clock goes back. */
  tick(): number {
    this.lastChangeTime = Math.max(this.#now(), this.lastChangeTime + 1);
    this.touched = true;
    return this.lastChangeTime;
  }
}
