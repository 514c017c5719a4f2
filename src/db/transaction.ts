import type { Engine, Statement } from './engine.ts';

/** A value that a statement can be given. Numbers above 2^31 travel inside of JSON (sqlite3 binds them as REAL). */
export type SqlValue = string | number | null;

/**
 * A handle on an open write transaction. It dies with it. Statements run one after another in the order in
 * which they were given, each sees what those before it have left; after one has failed none runs any more, since
 * SQLite may have rolled the transaction back by itself and would commit what follows on its own.
 */
export interface WriteTransaction {
  readonly engine: Engine;
  /** Runs a statement and returns its rows. Throws a DatabaseError. */
  query<Row>(sql: Statement | string, parameters?: readonly SqlValue[]): Promise<Row[]>;
  /** Queues a statement without waiting for it. Its failure fails every later statement and the commit. */
  execute(sql: Statement | string, parameters?: readonly SqlValue[]): void;
  /**
   * Gives the statement that is all of the transaction: it runs when the body has ended, and commits by itself, without
   * BEGIN and COMMIT around it. No other may come after it. Where others came before, it is one of them, as by `query`.
   *
   * @returns its rows, settled no later than the transaction; they stand only if that succeeds. Throws a DatabaseError
   */
  alone<Row>(sql: Statement | string, parameters?: readonly SqlValue[]): Promise<Row[]>;
}

/** Runs a body in one transaction: commits when it resolves, rolls back when it throws. */
export interface WriteConnection {
  /**
   * @param body what to do with the transaction's handle; only the database may be awaited in it
   * @param timeoutMs after this time the running statement is interrupted and the transaction rolled back
   * @throws DatabaseError, or what the body threw
   */
  transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T>;
}

/** Runs statements that only read, each a snapshot of its own, in no order, on as many connections as there are. */
export interface ReadConnection {
  /**
   * @param sql a constant: each connection prepares it once and keeps it
   * @throws DatabaseError
   */
  query<Row>(sql: Statement, parameters: readonly SqlValue[]): Promise<Row[]>;
  /**
   * Runs a statement on every connection that is this process's own.
   * @throws DatabaseError where one gives no answer
   */
  check(sql: Statement): Promise<void>;
}
