import { mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DataSource } from 'typeorm';
import { type Engine, SQLITE } from './engine.ts';
import { DatabaseStartError, driverCode } from './errors.ts';
import { FileGuard, type FileSizes } from './file-guard.ts';
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
 * @throws DatabaseStartError where it cannot be opened, another process writes it or its schema does not fit
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
    await makeFolder(dirname(options.file));
    const file = await realFile(options.file);
    const lock = await takeWriteLock(file);
    closers.push(() => lock.release());
    const source = await openWriterSource(file);
    closers.push(() => source.destroy());
    const migrated = await migrate(source, options.migrate);
    const guard = new FileGuard(file);
    const writer = new SqliteWriter(sqliteConnection(source), guard);
    closers.push(() => writer.close());
    const readers = [];
    for (let i = 0; i < options.readers + 1; i++) {
      const reader = await openReaderSource(file);
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
      files: {
        fault: () => writer.fileFault(),
        get sizes() {
          return guard.sizes;
        },
      },
      close,
    };
  } catch (error) {
    await close();
    throw startError(options.file, error);
  }
}

/** The file behind links: whoever opens the same database takes the same lock, by whatever name. */
export async function realFile(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (driverCode(error) !== 'ENOENT') throw error;
    return join(await realpath(dirname(file)), basename(file));
  }
}

/** Makes a folder, and those above it, where they are missing. */
export async function makeFolder(folder: string): Promise<void> {
  // Not `recursive: true`, which never ends where a parent is there and yet cannot have children (/proc, a link to nowhere).
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if (driverCode(error) !== 'ENOENT') throw error;
    if (folder !== dirname(folder)) await makeFolder(dirname(folder));
  }
  await mkdir(folder).catch(async (error) => {
    // Another process may have made it meanwhile.
    if (driverCode(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  });
}

/**
 * Checks promises 1 and 2 on a SQLite file, also while a service writes it.
 *
 * @throws DatabaseStartError where it does not exist, cannot be read, or its schema is not this release's
 */
export async function verifyDatabase(file: string): Promise<Verification> {
  return await withReader(file, async (source) => {
    const pending = await pendingMigrations(source);
    if (pending.length > 0)
      throw new DatabaseStartError(`${file} lacks the migration(s) ${pending.join(', ')}`);
    return await verify(source);
  });
}

/**
 * The migrations that a SQLite file lacks.
 *
 * @throws DatabaseStartError where it does not exist or cannot be read
 */
export async function checkMigrations(file: string): Promise<string[]> {
  return await withReader(file, pendingMigrations);
}

async function withReader<T>(file: string, read: (source: DataSource) => Promise<T>): Promise<T> {
  let source: DataSource | undefined;
  try {
    source = await openReaderSource(file);
    return await read(source);
  } catch (error) {
    if (driverCode(error) === 'ENOENT') throw new DatabaseStartError(`there is no database ${file}`);
    throw startError(file, error);
  } finally {
    await source?.destroy();
  }
}

/** Says in words which file could not be opened, and why, where the system or the driver tells; else the error itself. */
function startError(file: string, error: unknown): unknown {
  if (error instanceof DatabaseStartError || !(error instanceof Error) || driverCode(error) === '')
    return error;
  return new DatabaseStartError(`the database ${file} cannot be opened: ${error.message}`, { cause: error });
}
