import sqlite3 from 'sqlite3';
import { onTestFinished } from 'vitest';

/** Reads a SQLite file beside the service, with the same driver but not through its code. */
export class DatabaseDump {
  readonly #connection: sqlite3.Database;

  private constructor(connection: sqlite3.Database) {
    this.#connection = connection;
  }

  static async open(file: string): Promise<DatabaseDump> {
    const { promise, resolve, reject } = Promise.withResolvers<DatabaseDump>();
    const connection = new sqlite3.Database(file, sqlite3.OPEN_READONLY, (error) =>
      error ? reject(error) : resolve(new DatabaseDump(connection)),
    );
    onTestFinished(() => new Promise<void>((done) => connection.close(() => done())));
    return await promise;
  }

  /** Every row of every table, so that two dumps are equal where nothing was written in between. */
  async everything(): Promise<Record<string, unknown[]>> {
    const tables = await this.rows<{ name: string }>(
      `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`,
    );
    const dumps = tables.map(async ({ name }) => [name, await this.rows(`SELECT * FROM "${name}"`)] as const);
    return Object.fromEntries(await Promise.all(dumps));
  }

  rows<Row>(sql: string): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#connection.all<Row>(sql, (error, rows) => (error ? reject(error) : resolve(rows)));
    });
  }
}
