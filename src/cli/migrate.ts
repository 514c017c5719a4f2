import { loadConfig, readEnvironment } from '../config.ts';
import { checkMigrations, openDatabase } from '../db/database.ts';
import { print } from './output.ts';

/** Brings the schema up to date, or only says what it lacks. Returns the exit code. */
export async function migrate(checkOnly: boolean): Promise<number> {
  const { file } = loadConfig(readEnvironment()).database.url;
  if (checkOnly) {
    const pending = await checkMigrations(file);
    report(`${file} lacks`, pending, file);
    return pending.length === 0 ? 0 : 1;
  }
  const database = await openDatabase({ file, readers: 0, migrate: 'auto' });
  await database.close();
  report(`${file}: applied`, database.migrated, file);
  return 0;
}

function report(what: string, migrations: readonly string[], file: string): void {
  if (migrations.length === 0) print(`${file} is up to date`);
  for (const migration of migrations) print(`${what} ${migration}`);
}
