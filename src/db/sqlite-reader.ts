import type { Database } from 'sqlite3';
import { SQLITE, type Statement, textFor } from './engine.ts';
import { sqliteError } from './errors.ts';
import { SqliteStatements } from './sqlite-statements.ts';
import type { ReadConnection, SqlValue } from './transaction.ts';

/** A SQLite connection that reads, with its statements. */
interface Reading {
  readonly statements: SqliteStatements;
  /** How many reads it was given and has not answered. */
  waiting: number;
}

/**
 * Reads a SQLite database on several connections, in turn. What one of them reads waits for what it was given before;
 * so one that reads a long page is passed over while another has less to do.
 */
export class SqliteReader implements ReadConnection {
  readonly #connections: readonly Reading[];
  #next = 0;

  constructor(connections: readonly Database[]) {
    this.#connections = connections.map((connection) => ({
      statements: new SqliteStatements(connection),
      waiting: 0,
    }));
  }

  query<Row>(sql: Statement, parameters: readonly SqlValue[]): Promise<Row[]> {
    const { length } = this.#connections;
    let chosen = this.#connections[this.#next++ % length]!;
    for (let i = 0; i < length && chosen.waiting > 0; i++) {
      const other = this.#connections[(this.#next + i) % length]!;
      if (other.waiting < chosen.waiting) chosen = other;
    }
    return this.#read(chosen, textFor(SQLITE, sql), parameters);
  }

  async check(sql: Statement): Promise<void> {
    await Promise.all(this.#connections.map((one) => this.#read(one, textFor(SQLITE, sql), [])));
  }

  async #read<Row>(connection: Reading, sql: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    connection.waiting += 1;
    try {
      return await connection.statements.all<Row>(sql, parameters);
    } catch (error) {
      throw sqliteError(error);
    } finally {
      connection.waiting -= 1;
    }
  }

  /** Waits for what is read and gives the prepared statements back. */
  async close(): Promise<void> {
    for (const { statements } of this.#connections) await statements.close();
  }
}
