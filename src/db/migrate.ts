import type { DataSource } from 'typeorm';
import { isNewerRelease, RELEASE } from '../util/release.ts';
import { MigrationReleaseEntity } from './entities/migration-release.ts';
import { DatabaseStartError } from './errors.ts';

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

/**
 * As {@link migrate}, where several processes may do it at the same time: the whole run is under a lock of the
 * database, and who comes second finds nothing left to do.
 */
export async function migrateUnderLock(source: DataSource, mode: MigrateMode): Promise<string[]> {
  const runner = source.createQueryRunner();
  try {
    await runner.connect();
    // Held by this connection until it is closed.
    await runner.query('SELECT pg_advisory_lock($1)', [LOCK]);
    try {
      return await migrate(source, mode);
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [LOCK]);
    }
  } finally {
    await runner.release();
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
