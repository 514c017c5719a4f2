import type { DatabaseUrl } from '../config.ts';
import type { Engine } from './engine.ts';
import type { FileSizes } from './file-guard.ts';
import type { Hints } from './hints.ts';
import type { MigrateMode } from './migrate.ts';
import type { Reads } from './queries/reads.ts';
import type { SyncReads } from './queries/sync.ts';
import type { WriteConnection } from './transaction.ts';

/** An open database. */
export interface Database {
  readonly engine: Engine;
  /** How many transactions of writes may be in flight at a time. */
  readonly lanes: number;
  readonly writer: WriteConnection;
  readonly reads: Reads;
  /** On a connection of its own, so that counting does not slow callers' reads. */
  readonly syncReads: SyncReads;
  /** To and from the other processes that write it; undefined where there is only one. */
  readonly hints?: Hints;
  /** The migrations that were applied when it was opened. */
  readonly migrated: readonly string[];
  /** The files under it; undefined where they are on another machine. */
  readonly files?: DatabaseFiles;
  /** Waits for what runs and closes every connection. Idempotent. */
  close(): Promise<void>;
}

/** The files under a database. */
export interface DatabaseFiles {
  /** What is wrong with them, in words for an operator; undefined where nothing is. */
  fault(): Promise<string | undefined>;
  readonly sizes: FileSizes;
}

/** A database but for its closing. */
export type OpenParts = Omit<Database, 'close'>;

/** How to open a database. */
export interface DatabaseOptions {
  readonly url: DatabaseUrl;
  /** How many connections read. */
  readonly readers: number;
  readonly migrate: MigrateMode;
  /** How many connections write, where several may; 2 where there is no number. */
  readonly writers?: number;
  /** A file of certificates for connections with TLS; empty or absent: those of the system. */
  readonly sslCa?: string;
  /** How long the server waits for a lock and runs a statement, milliseconds; 5 s and 30 s where there is no number. */
  readonly lockTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  /** What the connections call themselves. */
  readonly name?: string;
}
