import type { WriteTransaction } from '../db/transaction.ts';
import type { LockedSequence } from './locked-sequence.ts';

/** What a batch needs to know besides its members. */
export interface BatchOptions {
  /** The clock, microseconds since the epoch. */
  readonly now: () => number;
  /** Random and fresh: the mark of its documents, and the proof that it was committed. */
  readonly token: string;
  /** The most elements that one write may renumber, and the most versions that it may delete. */
  readonly maxRenumber: number;
}

/** What the operations of a batch work with. */
export interface BatchContext extends BatchOptions {
  readonly tx: WriteTransaction;
  /** The id of a sequence's row, which is inserted where it is missing. */
  sequenceId(sequence: LockedSequence): Promise<number>;
}
