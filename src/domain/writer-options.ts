import type { WriteConnection } from '../db/transaction.ts';
import type { WriterMetrics } from '../metrics.ts';

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
  /** How many transactions may be in flight; 1 where there is no number. */
  readonly lanes?: number;
  readonly limits: WriterLimits;
  readonly metrics: WriterMetrics;
  /** The clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of every batch of writes that has committed. */
  readonly onCommit: () => void;
  /** Told of every failure that is not a caller's. */
  readonly onError: (error: unknown) => void;
}
