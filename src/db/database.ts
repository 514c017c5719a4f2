import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Engine, SQLITE } from './engine.ts';
import { type MigrateMode, migrate, pendingMigrations } from './migrate.ts';
import { Reads } from './queries/reads.ts';
import { SyncReads } from './queries/sync.ts';
import { openReaderSource, openWriterSource, sqliteConnection } from './sqlite.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import type { WriteConnection } from './transaction.ts';
import { type Verification, verify } from './verify.ts';
import { takeWriteLock } from './write-lock.ts';

/** An open database. */
export interface Database {
  readonly engine: Engine;
  readonly writer: WriteConnection;
  readonly reads: Reads;
  /** On a connection of its own, so that counting does not slow callers' reads. */
  readonly syncReads: SyncReads;
  /** The migrations that were applied when it was opened. */
  readonly migrated: readonly string[];
  /** Waits for what runs and closes every connection. Idempotent. */
  close(): Promise<void>;
}

/** How to open a database. */
export interface DatabaseOptions {
  /** The SQLite file. It and its folder are created where missing. */
  file: string;
  /** How many connections read. */
  readers: number;
  migrate: MigrateMode;
}

/**
 * Opens a database for writing and reading.
 *
 * @throws DatabaseStartError where another process writes it or its schema does not fit
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const closers: (() => Promise<void>)[] = [];
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= (async () => {
      for (const closer of closers.toReversed()) await closer();
    })();
    return closed;
  };
  try {
    await mkdir(dirname(options.file), { recursive: true });
    const lock = await takeWriteLock(options.file);
    closers.push(() => lock.release());
    const source = await openWriterSource(options.file);
    closers.push(() => source.destroy());
    const migrated = await migrate(source, options.migrate);
    const writer = new SqliteWriter(sqliteConnection(source));
    closers.push(() => writer.close());
    const readers = [];
    for (let i = 0; i < options.readers + 1; i++) {
      const reader = await openReaderSource(options.file);
      closers.push(() => reader.destroy());
      readers.push(reader);
    }
    const [syncReader, ...others] = readers;
    return {
      engine: SQLITE,
      writer,
      reads: new Reads(others),
      syncReads: new SyncReads(syncReader!),
      migrated,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Checks promises 1 and 2 on a SQLite file, also while a service writes it. Throws where it does not exist. */
export async function verifyDatabase(file: string): Promise<Verification> {
  const source = await openReaderSource(file);
  try {
    return await verify(source);
  } finally {
    await source.destroy();
  }
}

/** The migrations that a SQLite file lacks. Throws where it does not exist. */
export async function checkMigrations(file: string): Promise<string[]> {
  const source = await openReaderSource(file);
  try {
    return await pendingMigrations(source);
  } finally {
    await source.destroy();
  }
}
