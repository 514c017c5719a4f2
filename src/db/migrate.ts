import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { isNewerRelease, RELEASE } from '../util/release.ts';
import { MigrationReleaseEntity } from './entities/migration-release.ts';
import { DatabaseStartError, driverCode } from './errors.ts';

/** Whether to apply migrations at start, or to refuse a database that lacks some. */
export type MigrateMode = 'auto' | 'check';

/** The names of the migrations that a database lacks, oldest first. */
export async function pendingMigrations(source: DataSource): Promise<string[]> {
  const applied = new Set<string>();
  if (await hasTable(source, 'migration'))
    for (const { name } of await source.query<{ name: string }[]>('SELECT name FROM migration'))
      applied.add(name);
  return source.migrations.map((migration) => migration.name!).filter((name) => !applied.has(name));
}

/**
 * Brings the schema up to date. An empty database is always created; the caller holds the write lock.
 *
 * @throws DatabaseStartError where migrations are missing and the mode is `check`, or where the schema needs a
 * newer release than this one
 */
export async function migrate(source: DataSource, mode: MigrateMode): Promise<string[]> {
  await refuseNewerSchema(source);
  const pending = await pendingMigrations(source);
  if (pending.length === 0) return pending;
  // Not "the table exists": a creation that was interrupted leaves TypeORM's own table, and nothing else.
  if (mode === 'check' && pending.length < source.migrations.length)
    throw new DatabaseStartError(
      `the database lacks ${pending.length} migration(s): ${pending.join(', ')}; run "cli migrate", or set MIGRATE=auto`,
    );
  await source.runMigrations();
  return pending;
}

// Any number that no other program takes in the same database.
const LOCK = 7_308_604_897;

/** Longer than a migration should take that another process runs. */
const MAX_WAIT_MS = 60_000;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK_DETECTED = '40P01';

/**
 * How long a migration waits for the lock of a table, milliseconds. All who come after it wait behind it, callers too;
 * so it soon gives up, and tries again, until whoever holds the table (a backup, a long read) has ended.
 */
export const MIGRATE_LOCK_TIMEOUT_MS = 500;
const TRY_AGAIN_MS = 1_000;
const MAX_TRIES = 300;

/**
 * As {@link migrate}, where several processes may do it at the same time: the whole run is under a lock of the
 * database, and who comes second finds nothing left to do.
 *
 * @param source whose statements give up waiting for locks after {@link MIGRATE_LOCK_TIMEOUT_MS}
 * @throws DatabaseStartError also where another process holds the lock for too long
 */
export async function migrateUnderLock(
  source: DataSource,
  mode: MigrateMode,
  maxWaitMs = MAX_WAIT_MS,
): Promise<string[]> {
  const runner = source.createQueryRunner();
  try {
    await runner.connect();
    await takeLock(runner, maxWaitMs);
    try {
      return await migratePatiently(source, mode);
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [LOCK]);
    }
  } finally {
    await runner.release();
  }
}

async function migratePatiently(source: DataSource, mode: MigrateMode): Promise<string[]> {
  const pending = await pendingMigrations(source);
  for (let tries = 1; ; tries++) {
    try {
      // What has begun is to be ended, whatever the mode says of what is left.
      await migrate(source, tries === 1 ? mode : 'auto');
      return pending;
    } catch (error) {
      const locked = [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED].includes(driverCode(error) ?? '');
      if (!locked || tries === MAX_TRIES) throw error;
      await sleep(TRY_AGAIN_MS);
    }
  }
}

/** It is held by the connection until that is closed. */
async function takeLock(runner: QueryRunner, maxWaitMs: number): Promise<void> {
  await runner.query(`SELECT set_config('lock_timeout', $1, false)`, [String(maxWaitMs)]);
  try {
    await runner.query('SELECT pg_advisory_lock($1)', [LOCK]);
  } catch (error) {
    if (driverCode(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new DatabaseStartError(
      `another process has been migrating this database for ${maxWaitMs / 1_000} s; start again when it has finished, or end its session (pg_locks has it, as an advisory lock)`,
      { cause: error },
    );
  } finally {
    await runner.query('RESET lock_timeout');
  }
}

async function refuseNewerSchema(source: DataSource): Promise<void> {
  if (!(await hasTable(source, 'migration_release'))) return;
  for (const { name, minRelease } of await source.getRepository(MigrationReleaseEntity).find())
    if (isNewerRelease(minRelease, RELEASE))
      throw new DatabaseStartError(
        `the database was migrated by ${name}, which needs release ${minRelease} or newer; this is ${RELEASE}`,
      );
}

async function hasTable(source: DataSource, table: string): Promise<boolean> {
  const runner = source.createQueryRunner();
  try {
    return await runner.hasTable(table);
  } finally {
    await runner.release();
  }
}
