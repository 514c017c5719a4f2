import type { Pool } from 'pg';
import { LinkedList } from '../util/linked-list.ts';
import { POSTGRES, type Statement, textFor } from './engine.ts';
import { driverCode, postgresError } from './errors.ts';
import { OVERTAKEN, prepared } from './postgres-statements.ts';
import type { ReadConnection, SqlValue } from './transaction.ts';

/** Reads a PostgreSQL database on the connections of a pool, each of which prepares a statement once. */
export class PostgresReader implements ReadConnection {
  readonly #pool: Pool;
  readonly #running = new LinkedList<Promise<unknown>>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  query<Row>(sql: Statement, parameters: readonly SqlValue[]): Promise<Row[]> {
    const running = this.#query<Row>(sql, parameters);
    const place = this.#running.add(running);
    const done = () => this.#running.remove(place);
    running.then(done, done);
    return running;
  }

  async check(sql: Statement): Promise<void> {
    await this.query(sql, []);
  }

  /** Waits for what is read: a pool that ends forgets who waits for a connection. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  async #query<Row>(sql: Statement, parameters: readonly SqlValue[]): Promise<Row[]> {
    const text = textFor(POSTGRES, sql);
    try {
      return await this.#run<Row>(prepared(text), parameters);
    } catch (error) {
      // The pool has ended the connection; the next one may be as old, but what has no name is prepared each time.
      if (OVERTAKEN.has(driverCode(error))) return await this.#run<Row>({ text }, parameters).catch(refuse);
      return refuse(error);
    }
  }

  async #run<Row>(query: { name?: string; text: string }, parameters: readonly SqlValue[]): Promise<Row[]> {
    const { rows } = await this.#pool.query({ ...query, values: [...parameters] });
    return rows as Row[];
  }
}

function refuse(error: unknown): never {
  throw postgresError(error);
}
