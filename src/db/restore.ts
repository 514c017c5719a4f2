import { copyFile, link, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFile, syncFolder } from './backup.ts';
import { beginEpoch } from './epoch.ts';
import { DatabaseStartError, driverCode } from './errors.ts';
import { checkIntegrity } from './integrity.ts';
import { migrate } from './migrate.ts';
import { type openReaderSource, openWriterSource, sqliteConnection } from './sqlite.ts';
import { makeFolder, realFile } from './sqlite-file.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import type { Verification } from './verify.ts';
import { takeWriteLock } from './write-lock.ts';

/** What a restore has done. */
export interface Restored extends Verification {
  /** Where the database that was there is kept; undefined where there was none. */
  readonly kept: string | undefined;
  /** That the search index is to follow from now on. */
  readonly generation: number;
}

/**
 * Puts a backup in the place of a SQLite database that no service writes. All that can fail is done beside it; then
 * the new file takes the place of the old one, which is kept under another name, in one step.
 *
 * @param now milliseconds since the epoch
 * @throws DatabaseStartError where the backup cannot be used or a service writes the database, which is untouched then
 */
export async function restoreDatabase(path: string, backup: string, now: number): Promise<Restored> {
  const partial = `${path}.restoring-${process.pid}`;
  try {
    await checkBackup(backup);
    await makeFolder(dirname(path));
    const file = await realFile(path);
    const lock = await takeWriteLock(file);
    try {
      await copyFile(backup, partial);
      const prepared = await prepare(partial, backup, now);
      const kept = await replace(file, partial, now);
      return { ...prepared, kept };
    } finally {
      await lock.release();
    }
  } catch (error) {
    if (error instanceof DatabaseStartError || driverCode(error) === '') throw error;
    throw new DatabaseStartError(`${backup} was not restored: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const suffix of ['', ...COMPANIONS]) await rm(partial + suffix, { force: true });
  }
}

/** Files of SQLite beside a database. Beside another database of the same name they would be taken for its own. */
const COMPANIONS = ['-wal', '-journal', '-shm'] as const;

async function checkBackup(backup: string): Promise<void> {
  const found = await stat(backup).catch(() => undefined);
  if (!found?.isFile()) throw new DatabaseStartError(`there is no backup ${backup}`);
  for (const suffix of ['-wal', '-journal'] as const)
    if ((await stat(backup + suffix).catch(() => undefined))?.size)
      throw new DatabaseStartError(
        `${backup}${suffix} is there: ${backup} is a database in use or the copy of one, not a backup; make one with "cli backup"`,
      );
}

/** Brings the copy to this release's schema, checks it and notes the new epoch. */
async function prepare(
  partial: string,
  backup: string,
  now: number,
): Promise<Verification & { generation: number }> {
  const source = await openWriterSource(partial);
  let prepared: Verification & { generation: number };
  try {
    await refuseOther(source, backup);
    await migrate(source, 'auto');
    const writer = new SqliteWriter(sqliteConnection(source));
    const generation = await beginEpoch(writer, now);
    await writer.close();
    prepared = { ...(await checkIntegrity(source, backup)), generation };
  } finally {
    // The last connection brings its log into the database.
    await source.destroy();
  }
  await syncFile(partial);
  return prepared;
}

async function refuseOther(
  source: Awaited<ReturnType<typeof openReaderSource>>,
  backup: string,
): Promise<void> {
  const tables = await source.query<unknown[]>(
    `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name IN ('sequence', 'element', 'change')`,
  );
  if (tables.length < 3) throw new DatabaseStartError(`${backup} is no database of this service`);
}

/** Returns where the old database is kept. */
async function replace(file: string, partial: string, now: number): Promise<string | undefined> {
  let kept: string | undefined;
  if ((await stat(file).catch(() => undefined)) !== undefined) {
    kept = `${file}.before-${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
    await mergeLog(file);
    for (const suffix of COMPANIONS)
      await rename(file + suffix, kept + suffix).catch((error) => {
        if (driverCode(error) !== 'ENOENT') throw error;
      });
    // A second name for the old file, so that at no time there is none under the first; a copy where names are single.
    await link(file, kept).catch(() => copyFile(file, kept!));
  }
  await rename(partial, file);
  await syncFolder(dirname(file));
  return kept;
}

/** Brings the log of the old database into it, so that it is one file; a damaged one is kept as it is. */
async function mergeLog(file: string): Promise<void> {
  const source = await openWriterSource(file).catch(() => undefined);
  await source?.destroy().catch(() => {});
}
