import type { DataSource } from 'typeorm';
import { type DatabaseUrl, describeDatabase } from '../config.ts';
import { DatabaseStartError, driverCode } from './errors.ts';
import { pendingMigrations } from './migrate.ts';
import type { Database, DatabaseOptions, OpenParts } from './open.ts';
import { type Verification, verify } from './verify.ts';

export type { Database, DatabaseOptions } from './open.ts';

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
    return { ...(await openParts(options, closers)), close };
  } catch (error) {
    await close();
    throw startError(options.url, error);
  }
}

// The driver of the engine that is used, and of no other, is loaded.
const sqlite = () => import('./sqlite-database.ts');
const postgres = () => import('./postgres-database.ts');

async function openParts(options: DatabaseOptions, closers: (() => Promise<void>)[]): Promise<OpenParts> {
  const { url } = options;
  switch (url.engine) {
    case 'sqlite':
      return await (await sqlite()).openSqlite(url.file, options, closers);
    case 'postgres':
      return await (await postgres()).openPostgres({ url, sslCa: options.sslCa ?? '' }, options, closers);
  }
}

/** Where a database is to be read. */
export type DatabasePlace = Pick<DatabaseOptions, 'url' | 'sslCa'>;

/**
 * Checks promises 1 and 2 on a database, also while a service writes it.
 *
 * @throws DatabaseStartError where it does not exist, cannot be read, or its schema is not this release's
 */
export async function verifyDatabase(place: DatabasePlace): Promise<Verification> {
  return await read(place, async (source) => {
    const pending = await pendingMigrations(source);
    if (pending.length > 0)
      throw new DatabaseStartError(
        `${describeDatabase(place.url)} lacks the migration(s) ${pending.join(', ')}`,
      );
    return await verify(source);
  });
}

/**
 * The migrations that a database lacks.
 *
 * @throws DatabaseStartError where it does not exist or cannot be read
 */
export async function checkMigrations(place: DatabasePlace): Promise<string[]> {
  return await read(place, pendingMigrations);
}

async function read<T>(
  { url, sslCa = '' }: DatabasePlace,
  use: (source: DataSource) => Promise<T>,
): Promise<T> {
  try {
    switch (url.engine) {
      case 'sqlite':
        return await (await sqlite()).readSqlite(url.file, use);
      case 'postgres':
        return await (await postgres()).withSource({ url, sslCa }, 'sequence-service read', use);
    }
  } catch (error) {
    throw startError(url, error);
  }
}

/** Says in words which database could not be opened, and why, where the system or the driver tells; else the error itself. */
function startError(url: DatabaseUrl, error: unknown): unknown {
  if (error instanceof DatabaseStartError || !(error instanceof Error) || driverCode(error) === '')
    return error;
  return new DatabaseStartError(
    `the database ${describeDatabase(url)} cannot be opened: ${error.message || driverCode(error)}`,
    {
      cause: error,
    },
  );
}
