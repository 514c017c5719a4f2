import { resolve } from 'node:path';
import { backupDatabase } from '../db/backup.ts';
import { print } from './output.ts';
import { sqliteFile } from './sqlite-file.ts';

/** Makes a checked backup. Returns the exit code. */
export async function backup(to: string, force: boolean): Promise<number> {
  const file = sqliteFile('backup');
  const made = await backupDatabase(file, resolve(to), { force });
  print(`${to}: ${made.sequences} sequences, ${made.elements} elements, ${made.versions} versions`);
  print(`checked; ${made.bytes} bytes`);
  return 0;
}
