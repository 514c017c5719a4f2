import { resolve } from 'node:path';
import { loadConfig, readEnvironment } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { beginEpoch } from '../db/epoch.ts';
import { restoreDatabase } from '../db/restore.ts';
import { print } from './output.ts';
import { sqliteFile } from './sqlite-file.ts';

/** Puts a backup in place. Returns the exit code. */
export async function restore(from: string): Promise<number> {
  const file = sqliteFile('restore');
  const { sequences, elements, versions, kept, generation } = await restoreDatabase(
    file,
    resolve(from),
    Date.now(),
  );
  print(`${file}: ${sequences} sequences, ${elements} elements, ${versions} versions`);
  if (kept !== undefined) print(`what was there is kept as ${kept}`);
  report(generation);
  return 0;
}

/** Notes that the database was restored by other means. Returns the exit code. */
export async function restored(): Promise<number> {
  const { database: config } = loadConfig(readEnvironment());
  const database = await openDatabase({ ...config, migrate: 'auto' });
  try {
    report(await beginEpoch(database.writer, Date.now()));
  } finally {
    await database.close();
  }
  return 0;
}

function report(generation: number): void {
  print(`the search index will be sent everything anew, as generation ${generation}`);
}
