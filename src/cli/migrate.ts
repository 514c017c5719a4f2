import { describeDatabase, loadConfig, readEnvironment } from '../config.ts';
import { checkMigrations, openDatabase } from '../db/database.ts';
import { print } from './output.ts';

/** Brings the schema up to date, or only says what it lacks. Returns the exit code. */
export async function migrate(checkOnly: boolean): Promise<number> {
  const config = loadConfig(readEnvironment()).database;
  const place = describeDatabase(config.url);
  if (checkOnly) {
    const pending = await checkMigrations(config);
    report(`${place} lacks`, pending, place);
    return pending.length === 0 ? 0 : 1;
  }
  const database = await openDatabase({ ...config, readers: 1, migrate: 'auto' });
  await database.close();
  report(`${place}: applied`, database.migrated, place);
  return 0;
}

function report(what: string, migrations: readonly string[], place: string): void {
  if (migrations.length === 0) print(`${place} is up to date`);
  for (const migration of migrations) print(`${what} ${migration}`);
}
