import type { Database } from 'sqlite3';
import { SQLITE, type Statement, textFor } from './engine.ts';
import { DatabaseError, type DatabaseErrorKind, driverCode, ENDED, sqliteError } from './errors.ts';
import type { FileGuard } from './file-guard.ts';
import { SqliteStatements } from './sqlite-statements.ts';
import type { SqlValue, WriteConnection, WriteTransaction } from './transaction.ts';

/** How long after an interrupt the next one follows. */
const INTERRUPT_AGAIN_MS = 20;

/**
 * The one connection that writes a SQLite database, with statements that are prepared once and kept.
 *
 * TypeORM cannot express BEGIN IMMEDIATE, which takes the write lock before the first read; so the
 * transaction's own statements are prepared here too.
 */
export class SqliteWriter implements WriteConnection {
  readonly #connection: Database;
  readonly #guard: FileGuard | undefined;
  readonly #statements: SqliteStatements;
  #last: Promise<unknown> = Promise.resolve();
  /** Whether a commit has failed in a way that leaves open what the disk holds, and none has succeeded since. */
  #doubtful = false;
  /** Whether a rollback has failed, so that the last transaction may still be open. */
  #leftOpen = false;

  /** @param guard of the database's files; without one, nothing is noticed of what happens to them */
  constructor(connection: Database, guard?: FileGuard) {
    this.#connection = connection;
    this.#statements = new SqliteStatements(connection);
    this.#guard = guard;
  }

  transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    return this.#inTurn(() => this.#transaction(body, timeoutMs));
  }

  /** What is wrong with the database's files, in words for an operator; undefined where nothing is. */
  async fileFault(): Promise<string | undefined> {
    const fault = this.#guard?.fault();
    // What became smaller can only be judged between transactions.
    return this.#guard?.shrunk ? await this.#inTurn(() => this.#judgedFault()) : fault;
  }

  /** One connection holds one transaction: a second caller waits for the first. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }

  async #transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    await this.#checkFiles('unavailable');
    if (this.#leftOpen) await this.#closeOpen();
    if (this.#doubtful) await this.#probe();
    const handle = new SqliteTransaction(
      () => this.#begin(),
      (sql, parameters) => this.#all(sql, parameters),
    );
    let timer = setTimeout(() => {
      handle.end(new DatabaseError('timeout', `the transaction did not end within ${timeoutMs} ms`));
      interrupt();
    }, timeoutMs);
    // Again and again: what waits for a thread, and has not begun to run, is not interrupted.
    const interrupt = () => {
      this.#connection.interrupt();
      timer = setTimeout(interrupt, INTERRUPT_AGAIN_MS);
    };
    let result: T;
    try {
      result = await body(handle);
      await handle.settled();
    } catch (error) {
      clearTimeout(timer);
      handle.end(ENDED);
      await handle.settled().catch(() => {});
      handle.drop(error);
      if (handle.begun) await this.#rollback();
      throw error;
    }
    // A commit is not interrupted; the statement that is its own may be, and has written nothing then.
    if (handle.begun) clearTimeout(timer);
    handle.end(ENDED);
    try {
      if (handle.begun) await this.#all('COMMIT', []);
      else await handle.runAlone();
    } catch (error) {
      if (handle.begun) await this.#rollback();
      const failure = sqliteError(error, true);
      this.#doubtful = failure.kind === 'outcome_unknown';
      throw failure;
    } finally {
      clearTimeout(timer);
    }
    await this.#checkFiles('outcome_unknown');
    return result;
  }

  /**
   * Commits something that changes nothing: where that fails nothing else is tried, so that only the first write that
   * meets a failing disk has an unknown outcome. A success overwrites in the log what the failed commit left there.
   */
  async #probe(): Promise<void> {
    await this.#begin();
    try {
      // An UPDATE to what stands there would write nothing.
      await this.#all(`INSERT INTO migration_release (name, min_release) VALUES ('probe', '0.0.0')`, []);
      await this.#all(`DELETE FROM migration_release WHERE name = 'probe'`, []);
      await this.#all('COMMIT', []);
    } catch (error) {
      await this.#rollback();
      throw sqliteError(error);
    }
    this.#doubtful = false;
  }

  async #checkFiles(kind: DatabaseErrorKind): Promise<void> {
    const fault = await this.#judgedFault();
    if (fault !== undefined) throw new DatabaseError(kind, fault);
  }

  async #judgedFault(): Promise<string | undefined> {
    const guard = this.#guard;
    const fault = guard?.fault();
    if (!guard?.shrunk) return fault;
    const [{ size }, { pages }, { frames }] = await this.#sizes();
    // https://www.sqlite.org/fileformat2.html: a header of 32 bytes, and frames of a page with 24 bytes before it.
    guard.judge({ database: pages * size, log: frames <= 0 ? 0 : 32 + frames * (size + 24) });
    return guard.fault();
  }

  async #sizes(): Promise<[{ size: number }, { pages: number }, { frames: number }]> {
    const [size] = await this.#all<{ size: number }>('SELECT page_size AS size FROM pragma_page_size', []);
    const [pages] = await this.#all<{ pages: number }>(
      'SELECT page_count AS pages FROM pragma_page_count',
      [],
    );
    // NOOP copies nothing: pages of a log that was truncated must not get into the database.
    const [log] = await this.#all<{ log: number }>('PRAGMA wal_checkpoint(NOOP)', []);
    return [size!, pages!, { frames: log!.log }];
  }

  async #begin(): Promise<void> {
    try {
      await this.#all('BEGIN IMMEDIATE', []);
    } catch (error) {
      throw sqliteError(error);
    }
  }

  async #rollback(): Promise<void> {
    try {
      await this.#all('ROLLBACK', []);
      this.#leftOpen = false;
    } catch (error) {
      // SQLite may have rolled back by itself (disk full, I/O, interrupt).
      this.#leftOpen = !String(error).includes('no transaction is active');
      if (driverCode(error) === '') throw error;
    }
  }

  /** Rolls back what a failed rollback has left open: a statement would become a part of it, and not be committed. */
  async #closeOpen(): Promise<void> {
    await this.#rollback();
    if (this.#leftOpen) throw new DatabaseError('unavailable', 'the last transaction cannot be rolled back');
  }

  #all<Row>(sql: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    return this.#statements.all<Row>(sql, parameters);
  }

  /** Waits for the running transaction and gives the prepared statements back. */
  async close(): Promise<void> {
    await this.#last;
    await this.#statements.close();
  }
}

type All = <Row>(sql: string, parameters: readonly SqlValue[]) => Promise<Row[]>;

class SqliteTransaction implements WriteTransaction {
  readonly engine = SQLITE;
  readonly #begin: () => Promise<void>;
  readonly #all: All;
  #tail: Promise<unknown> | undefined;
  #alone: { run(): Promise<unknown>; refuse(reason: unknown): void } | undefined;
  #ended: DatabaseError | undefined;

  /** @param begin is run before the first statement that is not alone */
  constructor(begin: () => Promise<void>, all: All) {
    this.#begin = begin;
    this.#all = all;
  }

  /** Whether there is a transaction to commit or to roll back. */
  get begun(): boolean {
    return this.#tail !== undefined;
  }

  query<Row>(sql: Statement | string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    if (this.#alone) this.end(new DatabaseError('data', 'a statement came after one that was to be alone'));
    if (this.#tail === undefined) {
      if (this.#ended) return Promise.reject(this.#ended);
      this.#tail = this.#begin();
    }
    const result = this.#tail.then(() => this.#run<Row>(textFor(SQLITE, sql), parameters));
    this.#tail = result;
    return result;
  }

  execute(sql: Statement | string, parameters: readonly SqlValue[] = []): void {
    // Not lost: the tail is rejected, so every later statement and `settled()` are.
    this.query(sql, parameters).catch(() => {});
  }

  alone<Row>(sql: Statement | string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    if (this.begun || this.#alone || this.#ended) return this.query(sql, parameters);
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    // Not lost: the transaction fails as well.
    promise.catch(() => {});
    const run = () => {
      const rows = this.#all<Row>(textFor(SQLITE, sql), parameters).catch((error: unknown) => {
        throw sqliteError(error, true);
      });
      resolve(rows);
      return rows;
    };
    this.#alone = { run, refuse: reject };
    return promise;
  }

  /** Runs the statement that is alone, if there is one. */
  async runAlone(): Promise<void> {
    await this.#alone?.run();
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

  /** Does without the statement that is alone. */
  drop(reason: unknown): void {
    this.#alone?.refuse(reason);
  }
}
