import type { Database, Statement as Prepared } from 'sqlite3';
import { SQLITE, type Statement, textFor } from './engine.ts';
import { DatabaseError, driverCode, sqliteError } from './errors.ts';
import type { SqlValue, WriteConnection, WriteTransaction } from './transaction.ts';

/**
 * The one connection that writes a SQLite database. Statements are prepared once and kept: every text that is
 * passed in is a constant of `queries/`, so the cache is bounded by the code. TypeORM's `query()` prepares anew
 * at each call; docs/adr/0003 has the figures.
 *
 * TypeORM cannot express BEGIN IMMEDIATE, which takes the write lock before the first read; so the
 * transaction's own statements are prepared here too.
 */
export class SqliteWriter implements WriteConnection {
  readonly #connection: Database;
  readonly #statements = new Map<string, Prepared>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: Database) {
    this.#connection = connection;
  }

  transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    // One connection holds one transaction: a second caller waits for the first.
    const result = this.#last.then(() => this.#transaction(body, timeoutMs));
    this.#last = result.catch(() => {});
    return result;
  }

  async #transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    await this.#begin();
    const handle = new SqliteTransaction((sql, parameters) => this.#all(sql, parameters));
    const timer = setTimeout(() => {
      handle.end(new DatabaseError('timeout', `the transaction did not end within ${timeoutMs} ms`));
      this.#connection.interrupt();
    }, timeoutMs);
    let result: T;
    try {
      result = await body(handle);
      await handle.settled();
    } catch (error) {
      clearTimeout(timer);
      handle.end(new DatabaseError('data', 'the transaction has ended'));
      await handle.settled().catch(() => {});
      await this.#rollback();
      throw error;
    }
    clearTimeout(timer);
    handle.end(new DatabaseError('data', 'the transaction has ended'));
    try {
      await this.#all('COMMIT', []);
    } catch (error) {
      await this.#rollback();
      throw sqliteError(error, true);
    }
    return result;
  }

  async #begin(): Promise<void> {
    try {
      await this.#all('BEGIN IMMEDIATE', []);
    } catch (error) {
      // A rollback that failed has left the last transaction open; this is the place where that shows.
      if (!String(error).includes('within a transaction')) throw sqliteError(error);
      await this.#all('ROLLBACK', []).catch((again) => {
        throw sqliteError(again);
      });
      await this.#all('BEGIN IMMEDIATE', []).catch((again) => {
        throw sqliteError(again);
      });
    }
  }

  async #rollback(): Promise<void> {
    try {
      await this.#all('ROLLBACK', []);
    } catch (error) {
      // SQLite has rolled back by itself (disk full, I/O, interrupt), or #begin will try again.
      if (driverCode(error) === '') throw error;
    }
  }

  async #all<Row>(sql: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    const statement = this.#statements.get(sql) ?? (await this.#prepare(sql));
    return new Promise((resolve, reject) => {
      statement.all(parameters, (error: Error | null, rows: Row[]) =>
        error ? reject(error) : resolve(rows),
      );
    });
  }

  async #prepare(sql: string): Promise<Prepared> {
    const statement = await new Promise<Prepared>((resolve, reject) => {
      const prepared: Prepared = this.#connection.prepare(sql, (error: Error | null) =>
        error ? reject(error) : resolve(prepared),
      );
    });
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Waits for the running transaction and gives the prepared statements back. */
  async close(): Promise<void> {
    await this.#last;
    for (const statement of this.#statements.values())
      await new Promise<void>((resolve) => statement.finalize(() => resolve()));
    this.#statements.clear();
  }
}

class SqliteTransaction implements WriteTransaction {
  readonly engine = SQLITE;
  readonly #all: <Row>(sql: string, parameters: readonly SqlValue[]) => Promise<Row[]>;
  #tail: Promise<unknown> = Promise.resolve();
  #ended: DatabaseError | undefined;

  constructor(all: <Row>(sql: string, parameters: readonly SqlValue[]) => Promise<Row[]>) {
    this.#all = all;
  }

  query<Row>(sql: Statement | string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    const result = this.#tail.then(() => this.#run<Row>(textFor(SQLITE, sql), parameters));
    this.#tail = result;
    return result;
  }

  execute(sql: Statement | string, parameters: readonly SqlValue[] = []): void {
    // Not lost: the tail is rejected, so every later statement and `settled()` are.
    this.query(sql, parameters).catch(() => {});
  }

  async #run<Row>(sql: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    if (this.#ended) throw this.#ended;
    try {
      return await this.#all<Row>(sql, parameters);
    } catch (error) {
      throw this.#ended ?? sqliteError(error);
    }
  }

  /** Resolves when every statement given so far has run; rejects when one has failed. */
  async settled(): Promise<void> {
    await this.#tail;
    if (this.#ended) throw this.#ended;
  }

  /** From now on every statement fails with this. */
  end(reason: DatabaseError): void {
    this.#ended ??= reason;
  }
}
