import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseStartError, driverCode } from './errors.ts';
import { checkIntegrity } from './integrity.ts';
import { openCopySource, openReaderSource } from './sqlite.ts';
import type { Verification } from './verify.ts';

/** A backup that was made. */
export interface Backup extends Verification {
  readonly bytes: number;
}

/**
 * Copies a SQLite database, also while a service writes it: the copy is the state of one moment, compact, and comes to
 * stand under its name only when it is whole, checked and on the disk.
 *
 * @throws DatabaseStartError where it cannot be made; nothing is left of it then
 */
export async function backupDatabase(file: string, to: string, options: { force: boolean }): Promise<Backup> {
  if (!options.force) await refuseExisting(to);
  const partial = `${to}.partial-${process.pid}`;
  try {
    await refuseSame(file, to);
    await copy(file, partial);
    const source = await openReaderSource(partial);
    let verification: Verification;
    try {
      verification = await checkIntegrity(source, to);
    } finally {
      await source.destroy();
    }
    await syncFile(partial);
    const { size } = await stat(partial);
    await putInPlace(partial, to, options.force);
    return { ...verification, bytes: size };
  } catch (error) {
    if (error instanceof DatabaseStartError || driverCode(error) === '') throw error;
    throw new DatabaseStartError(`no backup was made: ${(error as Error).message}`, { cause: error });
  } finally {
    await rm(partial, { force: true });
    await rm(`${partial}-journal`, { force: true });
  }
}

/** One read transaction, which neither hinders a writer nor sees what it writes meanwhile. */
async function copy(file: string, to: string): Promise<void> {
  const source = await openCopySource(file);
  try {
    await source.query('VACUUM INTO ?', [to]);
  } finally {
    await source.destroy();
  }
}

async function refuseSame(file: string, to: string): Promise<void> {
  const there = await realpath(to).catch(() => join(dirname(to), basename(to)));
  if (there === (await realpath(file))) throw new DatabaseStartError(`${to} is the database itself`);
}

async function refuseExisting(to: string): Promise<void> {
  const found = await stat(to).catch(() => undefined);
  if (found !== undefined) throw existsError(to);
}

function existsError(to: string): DatabaseStartError {
  return new DatabaseStartError(`${to} is there already; use another name, or --force to replace it`);
}

/** Gives a whole file its name. Without force the name is taken first, so that nobody else's file is replaced. */
async function putInPlace(partial: string, to: string, force: boolean): Promise<void> {
  if (!force) {
    const taken = await open(to, 'wx').catch((error) => {
      throw driverCode(error) === 'EEXIST' ? existsError(to) : error;
    });
    await taken.close();
  }
  await rename(partial, to);
  await syncFolder(dirname(to));
}

/** Brings a file's content to the disk. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Brings the names in a folder to the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
