import sqlite3, { type Database, type Statement } from 'sqlite3';

/** The bare driver, one connection with the service's settings and statements prepared once. */
export class RawSqlite {
  readonly #connection: Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(connection: Database) {
    this.#connection = connection;
  }

  static async open(file: string): Promise<RawSqlite> {
    const { promise, resolve, reject } = Promise.withResolvers<Database>();
    const connection: Database = new sqlite3.Database(file, (error) =>
      error ? reject(error) : resolve(connection),
    );
    const raw = new RawSqlite(await promise);
    for (const setting of [
      'journal_mode = WAL',
      'synchronous = FULL',
      'foreign_keys = ON',
      'cache_size = -65536',
      'wal_autocheckpoint = 8000',
      'temp_store = MEMORY',
    ])
      await raw.all(`PRAGMA ${setting}`);
    return raw;
  }

  all<Row>(sql: string, parameters: readonly (string | number)[] = []): Promise<Row[]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    statement.all([...parameters], (error: Error | null, rows: Row[]) =>
      error ? reject(error) : resolve(rows),
    );
    return promise;
  }

  /** One after another, as the driver does not keep the order of statements that it is given at once. */
  async transaction(
    statements: readonly (readonly [sql: string, ...parameters: (string | number)[]])[],
  ): Promise<void> {
    await this.all('BEGIN IMMEDIATE');
    for (const [sql, ...parameters] of statements) await this.all(sql, parameters);
    await this.all('COMMIT');
  }
}
