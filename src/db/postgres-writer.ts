import pg, { type Pool, type PoolClient, type QueryResult } from 'pg';
import { LinkedList } from '../util/linked-list.ts';
import { POSTGRES, type Statement, textFor } from './engine.ts';
import { DatabaseError, driverCode, ENDED, postgresError } from './errors.ts';
import { cut } from './postgres-cut.ts';
import { OVERTAKEN, prepared } from './postgres-statements.ts';
import type { SqlValue, WriteConnection, WriteTransaction } from './transaction.ts';

/** How long a cancelled transaction has to end before its connection is cut. */
const CANCEL_GRACE_MS = 1_000;
// Whatever the server's default is: the writer counts on each statement to see what was committed before it began.
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE';

/**
 * Runs write transactions on PostgreSQL, each on a connection of the pool. Statements are sent as they are given, each
 * without waiting for the one before (the driver's pipeline mode), and prepared once a connection: every text is a
 * constant of `queries/`. BEGIN goes with the first, COMMIT with the last. One that fails aborts the transaction on the
 * server, which refuses what was sent behind it and takes COMMIT for ROLLBACK.
 */
export class PostgresWriter implements WriteConnection {
  readonly #pool: Pool;
  readonly #running = new LinkedList<Promise<unknown>>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    const running = this.#transaction(body, timeoutMs);
    const place = this.#running.add(running);
    running.catch(() => {}).finally(() => this.#running.remove(place));
    return running;
  }

  async #transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    const connection = new Connection(await this.#connect(), this.#pool);
    const tx = new PostgresTransaction(connection.client);
    const timer = setTimeout(() => {
      tx.end(new DatabaseError('timeout', `the transaction did not end within ${timeoutMs} ms`));
      connection.cancel();
    }, timeoutMs);
    try {
      const result = await body(tx);
      await tx.commit(() => connection.warned);
      return result;
    } catch (error) {
      tx.end(ENDED);
      await tx.rollback(error);
      throw error;
    } finally {
      clearTimeout(timer);
      await connection.release(tx.broken);
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new DatabaseError('unavailable', error instanceof Error ? error.message : String(error), error);
    }
  }

  /** Waits for the running transactions. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}

/** A connection for the time of one transaction. */
class Connection {
  readonly client: PoolClient;
  /** Whether the server has warned: it does where COMMIT has not waited for what it should have waited for. */
  warned = false;
  readonly #pool: Pool;
  #lost = false;
  #cancelled: Promise<void> | undefined;
  #cut: NodeJS.Timeout | undefined;
  readonly #onError = () => {
    // Whoever waits for an answer is told as well.
    this.#lost = true;
  };
  readonly #onNotice = ({ code }: { code?: string | undefined }) => {
    this.warned ||= code?.startsWith('01') ?? false;
  };

  constructor(client: PoolClient, pool: Pool) {
    this.client = client;
    this.#pool = pool;
    client.on('error', this.#onError);
    client.on('notice', this.#onNotice);
  }

  /** Ends the statement that runs; where that does not help soon, the connection. */
  cancel(): void {
    const { processID } = this.client as unknown as { processID: number };
    this.#cancelled = this.#pool.query('SELECT pg_cancel_backend($1)', [processID]).then(
      () => {},
      // Then the connection is cut.
      () => {},
    );
    this.#cut = setTimeout(() => this.#destroy(), CANCEL_GRACE_MS);
  }

  /** Gives the connection back, or ends it where it cannot be used again. */
  async release(broken: boolean): Promise<void> {
    if (this.#cancelled && !this.#lost) {
      // A late cancellation must not hit the next transaction: after an answer that was asked for behind it, it cannot.
      await this.#cancelled;
      await this.client.query('ROLLBACK').catch(() => this.#destroy());
    }
    clearTimeout(this.#cut);
    this.client.off('error', this.#onError);
    this.client.off('notice', this.#onNotice);
    if (this.#lost || broken) this.#destroy();
    this.client.release(this.#lost || broken);
  }

  #destroy(): void {
    this.#lost = true;
    cut(this.client);
  }
}

class PostgresTransaction implements WriteTransaction {
  readonly engine = POSTGRES;
  /** Whether the connection must not be used again. */
  broken = false;
  readonly #client: PoolClient;
  #sent: Promise<unknown>[] = [];
  #alone: { send(): Promise<QueryResult>; refuse(reason: unknown): void } | undefined;
  #failure: DatabaseError | undefined;
  #ended: DatabaseError | undefined;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async query<Row>(sql: Statement | string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    if (this.#alone) this.end(new DatabaseError('data', 'a statement came after one that was to be alone'));
    const refusal = this.#ended ?? this.#failure;
    if (refusal) throw refusal;
    if (this.#sent.length === 0) this.#send(BEGIN);
    const { rows } = await this.#send({ ...prepared(textFor(POSTGRES, sql)), values: [...parameters] });
    return rows as Row[];
  }

  execute(sql: Statement | string, parameters: readonly SqlValue[] = []): void {
    // Not lost: it is noted as the transaction's failure.
    this.query(sql, parameters).catch(() => {});
  }

  alone<Row>(sql: Statement | string, parameters: readonly SqlValue[] = []): Promise<Row[]> {
    if (this.#sent.length > 0 || this.#alone || this.#ended) return this.query(sql, parameters);
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    // Not lost: the transaction fails as well.
    promise.catch(() => {});
    const send = () => {
      const answer: Promise<QueryResult> = this.#client.query({
        ...prepared(textFor(POSTGRES, sql)),
        values: [...parameters],
      });
      resolve(
        answer.then(
          ({ rows }) => rows as Row[],
          (error: unknown) => {
            throw postgresError(error);
          },
        ),
      );
      return answer;
    };
    this.#alone = { send, refuse: reject };
    return promise;
  }

  /** From now on every statement fails with this. */
  end(reason: DatabaseError): void {
    this.#ended ??= reason;
  }

  /** @param warned tells whether the server has warned */
  async commit(warned: () => boolean): Promise<void> {
    if (this.#ended) throw this.#ended;
    this.end(ENDED);
    if (this.#alone) return await this.#commitAlone(this.#alone.send(), warned);
    if (this.#sent.length === 0) return;
    // Behind what is under way: had that failed, the server would take it for ROLLBACK.
    const commit = this.#client.query('COMMIT');
    const committed = commit.then(
      ({ command }) => command === 'COMMIT',
      (error: unknown) => error,
    );
    await Promise.allSettled(this.#sent);
    const outcome = await committed;
    // The server had an error of its own for a statement before COMMIT: that one has rolled back, or never run.
    if (this.#failure?.cause instanceof pg.DatabaseError) throw this.#failure;
    if (outcome === true && !warned()) return;
    if (outcome === true) throw new DatabaseError('outcome_unknown', 'the server warned about the commit');
    if (outcome === false) throw this.#failure ?? new DatabaseError('unavailable', 'COMMIT rolled back');
    if (isVerdict(outcome)) throw postgresError(outcome);
    this.broken = true;
    throw new DatabaseError('outcome_unknown', String(outcome), outcome);
  }

  /** A statement without BEGIN and COMMIT is a transaction of its own, which commits before it is answered. */
  async #commitAlone(answer: Promise<unknown>, warned: () => boolean): Promise<void> {
    try {
      await answer;
    } catch (error) {
      this.broken = !isVerdict(error) || OVERTAKEN.has(driverCode(error));
      if (isVerdict(error)) throw postgresError(error);
      throw new DatabaseError('outcome_unknown', String(error), error);
    }
    if (warned()) throw new DatabaseError('outcome_unknown', 'the server warned about the commit');
  }

  /** @param reason what a statement is told that was to be alone, and does not run */
  async rollback(reason: unknown): Promise<void> {
    this.#alone?.refuse(reason);
    if (this.#sent.length === 0) return;
    await Promise.allSettled(this.#sent);
    await this.#client.query('ROLLBACK').catch(() => {
      // The server rolls back what has no connection any more.
      this.broken = true;
    });
  }

  #send(query: string | { name: string; text: string; values: SqlValue[] }): Promise<QueryResult> {
    const answer = (this.#client.query(query as string) as Promise<QueryResult>).catch((error: unknown) => {
      // Answers come in the order of the statements: the first failure is the cause of the others.
      this.#failure ??= postgresError(error);
      if (OVERTAKEN.has(driverCode(error))) this.broken = true;
      throw this.#ended?.kind === 'timeout' ? this.#ended : this.#failure;
    });
    this.#sent.push(answer);
    // Whoever awaits it, gets it; who does not, learns of it by `commit`.
    answer.catch(() => {});
    return answer;
  }
}

/** Codes that come with the end of the connection, whatever the server was doing. */
const FAREWELL = /^(08|57P|58|25P0[34]|XX)/;
/** A server that cannot write its log panics at the commit, under the code of what failed, and may find it there later. */
const LAST_WORDS = ['FATAL', 'PANIC'];

/** Whether the server has refused something and lives on; else it is not known what it did last. */
function isVerdict(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError &&
    !FAREWELL.test(error.code ?? '') &&
    !LAST_WORDS.includes(error.severity ?? '')
  );
}
