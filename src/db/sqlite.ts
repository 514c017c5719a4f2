import { access } from 'node:fs/promises';
import type { Database as Connection } from 'sqlite3';
import sqlite3 from 'sqlite3';
import { DataSource } from 'typeorm';
import { SQLITE } from './engine.ts';
import { entitiesOf } from './entities/index.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { NO_LOG } from './no-log.ts';

const BUSY_TIMEOUT_MS = 5_000;
// Sorting and statement journals of a large renumbering: bounded by MAX_RENUMBER, and a container with a read-only
// root has no folder for them.
const TEMPORARY_IN_MEMORY = 'temp_store = MEMORY';

/**
 * The driver as TypeORM is given it. TypeORM asks for `verbose()`, which captures a stack at each call of the
 * driver: 8 % of the service's time under load.
 */
export const SQLITE_DRIVER = { ...sqlite3, verbose: () => sqlite3 };

/** Opens the writing connection of a SQLite file, which is created with its folder where it is missing. */
export async function openWriterSource(file: string): Promise<DataSource> {
  const source = new DataSource({
    type: 'sqlite',
    driver: SQLITE_DRIVER,
    database: file,
    entities: entitiesOf(SQLITE),
    migrations: MIGRATIONS,
    logger: NO_LOG,
    migrationsTableName: 'migration',
    // Foreign keys are switched off around migrations, which SQLite ignores inside of a transaction.
    migrationsTransactionMode: 'each',
  });
  await source.initialize();
  await pragmas(source, [
    'journal_mode = WAL',
    'synchronous = FULL',
    'foreign_keys = ON',
    `busy_timeout = ${BUSY_TIMEOUT_MS}`,
    // 16 MiB of pages, and a checkpoint each 32 MiB: measured, docs/adr/0003.
    'cache_size = -16384',
    'wal_autocheckpoint = 8000',
    'journal_size_limit = 67108864',
    TEMPORARY_IN_MEMORY,
  ]);
  // Statements of the one connection run in the order in which they were given.
  sqliteConnection(source).serialize();
  return source;
}

/** Opens a connection that can only read. The file must exist. */
export async function openReaderSource(file: string): Promise<DataSource> {
  await access(file);
  const source = new DataSource({
    type: 'sqlite',
    driver: SQLITE_DRIVER,
    database: file,
    entities: entitiesOf(SQLITE),
    migrations: MIGRATIONS,
    logger: NO_LOG,
    flags: sqlite3.OPEN_READONLY,
  });
  await source.initialize();
  await pragmas(source, [
    'query_only = ON',
    `busy_timeout = ${BUSY_TIMEOUT_MS}`,
    'cache_size = -8192',
    TEMPORARY_IN_MEMORY,
  ]);
  return source;
}

/** Opens a connection that changes nothing, and may write other files (VACUUM INTO). The file must exist. */
export async function openCopySource(file: string): Promise<DataSource> {
  await access(file);
  const source = new DataSource({
    type: 'sqlite',
    driver: SQLITE_DRIVER,
    database: file,
    flags: sqlite3.OPEN_READONLY,
  });
  await source.initialize();
  await pragmas(source, [`busy_timeout = ${BUSY_TIMEOUT_MS}`, TEMPORARY_IN_MEMORY]);
  return source;
}

/** The driver's connection under a DataSource. */
export function sqliteConnection(source: DataSource): Connection {
  return (source.driver as unknown as { databaseConnection: Connection }).databaseConnection;
}

async function pragmas(source: DataSource, settings: readonly string[]): Promise<void> {
  for (const setting of settings) await source.query(`PRAGMA ${setting}`);
}
