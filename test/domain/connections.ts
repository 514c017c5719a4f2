import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { DatabaseError } from '../../src/db/errors.ts';
import type { WriteConnection, WriteTransaction } from '../../src/db/transaction.ts';

/** A connection that counts its transactions, and can be told to hold or to fail them. */
export class WatchedConnection implements WriteConnection {
  /** The time that each transaction was given, milliseconds. */
  readonly timeouts: number[] = [];
  /** Each is what one transaction fails with, at its end or after its commit. */
  readonly failures: { error: DatabaseError; committed?: boolean }[] = [];
  /** What runs in each transaction before its body. */
  before: ((tx: WriteTransaction) => Promise<unknown>) | undefined;
  readonly #inner: WriteConnection;
  #gate: Promise<void> = Promise.resolve();

  constructor(inner: WriteConnection) {
    this.#inner = inner;
  }

  /** How many transactions there were. */
  get transactions(): number {
    return this.timeouts.length;
  }

  async transaction<T>(body: (tx: WriteTransaction) => Promise<T>, timeoutMs: number): Promise<T> {
    this.timeouts.push(timeoutMs);
    const failure = this.failures.shift();
    const result = await this.#inner.transaction(async (tx) => {
      await this.before?.(tx);
      const result = await body(tx);
      await this.#gate;
      if (failure && !failure.committed) throw failure.error;
      return result;
    }, timeoutMs);
    if (failure) throw failure.error;
    return result;
  }

  /** Holds every transaction right before its commit, until the test has finished at the latest. */
  hold(): { release(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    // A test that fails while it holds one is not to hang as well.
    onTestFinished(() => resolve());
    return { release: resolve };
  }

  /** Resolves when this many transactions have begun. */
  async begun(count: number): Promise<void> {
    while (this.transactions < count) await setImmediate();
  }
}

/** The same connection, on which every batch takes the long form: one transaction each. */
export function inFull(connection: WriteConnection): WriteConnection {
  return {
    transaction: (body, timeoutMs) =>
      connection.transaction(
        (tx) =>
          body({
            engine: { ...tx.engine, capabilities: { ...tx.engine.capabilities, appendsAtOnce: false } },
            query: tx.query.bind(tx),
            execute: tx.execute.bind(tx),
            alone: tx.alone.bind(tx),
          }),
        timeoutMs,
      ),
  };
}
