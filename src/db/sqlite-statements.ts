import type { Database, Statement as Prepared } from 'sqlite3';
import type { SqlValue } from './transaction.ts';

/**
 * The statements of one SQLite connection, each prepared when it is first run and kept: every text is a constant of
 * `queries/`, so there are as many as the code has. TypeORM's `query()` prepares anew at each call; docs/adr/0003 has
 * the figures.
 */
export class SqliteStatements {
  readonly #connection: Database;
  readonly #prepared = new Map<string, Promise<Prepared>>();

  constructor(connection: Database) {
    this.#connection = connection;
  }

  /** Runs a statement and returns its rows. Rejects with the driver's error. */
  async all<Row>(sql: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    const statement = await (this.#prepared.get(sql) ?? this.#prepare(sql));
    return new Promise((resolve, reject) => {
      statement.all(parameters, (error: Error | null, rows: Row[]) =>
        error ? reject(error) : resolve(rows),
      );
    });
  }

  #prepare(sql: string): Promise<Prepared> {
    const statement = new Promise<Prepared>((resolve, reject) => {
      const prepared: Prepared = this.#connection.prepare(sql, (error: Error | null) =>
        error ? reject(error) : resolve(prepared),
      );
    });
    this.#prepared.set(sql, statement);
    // One that could not be prepared may be when it is asked for again.
    statement.catch(() => this.#prepared.delete(sql));
    return statement;
  }

  /** Waits for what runs and gives the statements back, without which the connection cannot be closed. */
  async close(): Promise<void> {
    const prepared = await Promise.allSettled(this.#prepared.values());
    this.#prepared.clear();
    for (const one of prepared)
      if (one.status === 'fulfilled')
        await new Promise<void>((resolve) => one.value.finalize(() => resolve()));
  }
}
