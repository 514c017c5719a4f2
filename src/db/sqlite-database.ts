import { dirname } from 'node:path';
import type { DataSource } from 'typeorm';
import { SQLITE } from './engine.ts';
import { DatabaseStartError, driverCode } from './errors.ts';
import { FileGuard } from './file-guard.ts';
import { migrate } from './migrate.ts';
import type { DatabaseOptions, OpenParts } from './open.ts';
import { SQLITE_APPEND_VIEW } from './queries/append-sqlite.ts';
import { Reads } from './queries/reads.ts';
import { SyncReads } from './queries/sync.ts';
import { openReaderSource, openWriterSource, sqliteConnection } from './sqlite.ts';
import { makeFolder, realFile } from './sqlite-file.ts';
import { SqliteReader } from './sqlite-reader.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import { takeWriteLock } from './write-lock.ts';

/** Opens a SQLite database, which and whose folder are created where missing. Nobody else may write it meanwhile. */
export async function openSqlite(
  path: string,
  options: Pick<DatabaseOptions, 'readers' | 'migrate'>,
  closers: (() => Promise<void>)[],
): Promise<OpenParts> {
  await makeFolder(dirname(path));
  const file = await realFile(path);
  const lock = await takeWriteLock(file);
  closers.push(() => lock.release());
  const source = await openWriterSource(file);
  closers.push(() => source.destroy());
  const migrated = await migrate(source, options.migrate);
  for (const statement of SQLITE_APPEND_VIEW) await source.query(statement);
  const guard = new FileGuard(file);
  const writer = new SqliteWriter(sqliteConnection(source), guard);
  closers.push(() => writer.close());
  const readers: DataSource[] = [];
  for (let i = 0; i < options.readers + 1; i++) {
    const reader = await openReaderSource(file);
    closers.push(() => reader.destroy());
    readers.push(reader);
  }
  const [syncReader, ...others] = readers;
  const reader = new SqliteReader(others.map(sqliteConnection));
  closers.push(() => reader.close());
  return {
    engine: SQLITE,
    lanes: 1,
    writer,
    reads: new Reads(reader),
    syncReads: new SyncReads(syncReader!, SQLITE),
    migrated,
    files: {
      fault: () => writer.fileFault(),
      get sizes() {
        return guard.sizes;
      },
    },
  };
}

/** Reads a SQLite file that is there, also while a service writes it. */
export async function readSqlite<T>(file: string, read: (source: DataSource) => Promise<T>): Promise<T> {
  let source: DataSource | undefined;
  try {
    source = await openReaderSource(file);
    return await read(source);
  } catch (error) {
    if (driverCode(error) === 'ENOENT') throw new DatabaseStartError(`there is no database ${file}`);
    throw error;
  } finally {
    await source?.destroy();
  }
}
