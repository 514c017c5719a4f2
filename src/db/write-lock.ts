import { DataSource } from 'typeorm';
import { DatabaseStartError, driverCode } from './errors.ts';
import { SQLITE_DRIVER } from './sqlite.ts';

/** The right to write a SQLite database, held by one process at a time. */
export interface WriteLock {
  release(): Promise<void>;
}

/**
 * Takes the right to write `file` by an exclusive transaction on `<file>.lock`. The kernel gives it back when
 * the process ends, however it ends. (`locking_mode=EXCLUSIVE` on the file itself would lock out our own readers.)
 *
 * @throws DatabaseStartError where another process holds it
 */
export async function takeWriteLock(file: string): Promise<WriteLock> {
  const source = new DataSource({ type: 'sqlite', driver: SQLITE_DRIVER, database: `${file}.lock` });
  await source.initialize();
  try {
    await source.query('PRAGMA busy_timeout = 0');
    await source.query('BEGIN EXCLUSIVE');
  } catch (error) {
    await source.destroy();
    if (driverCode(error) === 'SQLITE_BUSY')
      throw new DatabaseStartError(
        `another process is already writing to ${file}; stop it first, or use another DATABASE_URL`,
      );
    throw error;
  }
  return { release: () => source.destroy() };
}
