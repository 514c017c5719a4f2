import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import type { Connection } from '../../engines/engine.ts';

/** The database with the tables of this release, which others are copied from. */
export const TEMPLATE = 'sequence_test_template';

/** Creates a database on the tests' PostgreSQL, which goes when the test has finished; returns its DATABASE_URL. */
export async function newDatabase(template: string): Promise<string> {
  const server = inject('postgresUrl');
  const name = `sequence_test_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  onTestFinished(() => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  return urlOfDatabase(server, name);
}

/** The URL of another database of the same server. */
export function urlOfDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs one statement on a server, outside of a transaction. */
export async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Opens a connection to a database; its bigints come back as numbers. */
export async function connectPostgres(place: string): Promise<Connection> {
  const types = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === 20 ? Number : pg.types.getTypeParser(oid, format),
  } as pg.CustomTypesConfig;
  const client = new pg.Client({ connectionString: place, types, pipeline: true } as pg.ClientConfig);
  // The server may be ended while a test looks elsewhere; the next query tells.
  client.on('error', () => {});
  await client.connect();
  return {
    async query<Row>(sql: string, parameters: readonly unknown[] = []) {
      let count = 0;
      const text = sql.replaceAll('?', () => `$${++count}`);
      return (await client.query(text, [...parameters])).rows as Row[];
    },
    close: () => client.end(),
  };
}
