import sqlite3 from 'sqlite3';
import { onTestFinished } from 'vitest';
import type { Connection } from '../engines/engine.ts';

/** A connection to a SQLite file beside the service's own; it is closed when the test has finished. */
export interface Sqlite {
  run(sql: string): Promise<void>;
  all<Row>(sql: string): Promise<Row[]>;
}

/** Opens a file, which is created where it is missing. */
export async function openSqlite(file: string): Promise<Sqlite> {
  const database = await open(file, sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE);
  onTestFinished(() => new Promise((resolve) => database.close(() => resolve())));
  return {
    run: (sql) =>
      new Promise((resolve, reject) => database.exec(sql, (error) => (error ? reject(error) : resolve()))),
    all: <Row>(sql: string) => rowsOf<Row>(database, sql),
  };
}

/** Opens a file that is there, with the same driver but not through the service's code. */
export async function connectSqlite(file: string): Promise<Connection> {
  const database = await open(file, sqlite3.OPEN_READWRITE);
  return {
    query: (sql, parameters = []) => rowsOf(database, sql, parameters),
    close: () =>
      new Promise((resolve, reject) => database.close((error) => (error ? reject(error) : resolve()))),
  };
}

function open(file: string, mode: number): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const opened = new sqlite3.Database(file, mode, (error) => (error ? reject(error) : resolve(opened)));
  });
}

function rowsOf<Row>(database: sqlite3.Database, sql: string, parameters: readonly unknown[] = []) {
  return new Promise<Row[]>((resolve, reject) =>
    database.all<Row>(sql, parameters, (error, rows) => (error ? reject(error) : resolve(rows))),
  );
}
