import sqlite3 from 'sqlite3';
import { onTestFinished } from 'vitest';

/** A connection to a SQLite file beside the service's own; it is closed when the test has finished. */
export interface Sqlite {
  run(sql: string): Promise<void>;
  all<Row>(sql: string): Promise<Row[]>;
}

/** Opens a file, which is created where it is missing. */
export async function openSqlite(file: string): Promise<Sqlite> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened = new sqlite3.Database(file, (error) => (error ? reject(error) : resolve(opened)));
  });
  onTestFinished(() => new Promise((resolve) => database.close(() => resolve())));
  return {
    run: (sql) =>
      new Promise((resolve, reject) => database.exec(sql, (error) => (error ? reject(error) : resolve()))),
    all: <Row>(sql: string) =>
      new Promise<Row[]>((resolve, reject) =>
        database.all<Row>(sql, (error, rows) => (error ? reject(error) : resolve(rows))),
      ),
  };
}
