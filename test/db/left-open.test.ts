import { join } from 'node:path';
import sqlite3, { type Database, type Statement } from 'sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteWriter } from '../../src/db/sqlite-writer.ts';
import { capabilities } from '../engines/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

function open(file: string): Promise<Database> {
  const { promise, resolve, reject } = Promise.withResolvers<Database>();
  const connection: Database = new sqlite3.Database(file, (error) =>
    error ? reject(error) : resolve(connection),
  );
  onTestFinished(() => new Promise<void>((closed) => connection.close(() => closed())));
  return promise;
}

/** The same connection, whose first rollbacks fail. */
function failingRollback(connection: Database, times: number): Database {
  let left = times;
  const prepare = (sql: string, prepared: () => void) => {
    const statement: Statement = connection.prepare(sql, prepared);
    if (sql !== 'ROLLBACK') return statement;
    const all = statement.all.bind(statement) as (...args: unknown[]) => unknown;
    const failing = (parameters: unknown, done: (error: Error) => void) =>
      left-- > 0
        ? done(Object.assign(new Error('SQLITE_NOMEM: out of memory'), { code: 'SQLITE_NOMEM' }))
        : all(parameters, done);
    return Object.assign(statement, { all: failing });
  };
  return new Proxy(connection, {
    get(target, key) {
      if (key === 'prepare') return prepare;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test.skipIf(capabilities.manyWriters)(
  'what a failed rollback leaves open takes nothing of what follows with it',
  async () => {
    const file = join(await temporaryFolder(), 'a.db');
    const connection = await open(file);
    const other = await open(file);
    const exec = (sql: string) => new Promise<void>((done) => connection.exec(sql, () => done()));
    await exec('PRAGMA journal_mode = WAL; CREATE TABLE t (name text)');
    connection.serialize();
    const writer = new SqliteWriter(failingRollback(connection, 2));
    const rows = () =>
      new Promise((resolve) => other.all('SELECT name FROM t ORDER BY 1', (_error, found) => resolve(found)));
    const insert = (name: string) =>
      writer.transaction(async (tx) => void tx.alone('INSERT INTO t VALUES (?1)', [name]), 1_000);

    const failed = writer.transaction(async (tx) => {
      await tx.query('INSERT INTO t VALUES (?1)', ['undone']);
      throw new Error('no');
    }, 1_000);
    await expect(failed).rejects.toThrow('no');
    // It still cannot be rolled back: nothing is taken into it.
    await expect(insert('refused')).rejects.toMatchObject({ kind: 'unavailable' });
    await insert('kept');
    expect(await rows()).toEqual([{ name: 'kept' }]);
    await writer.close();
  },
);
