import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** What one process tells the others of a database: that there are marks, or that some were cleared. */
export type Hint = 'dirty' | 'cleared';

/**
 * Hints between the processes that share a database. They may be lost, or come late: who acts on them looks for himself
 * now and then.
 */
export interface Hints {
  /** Tells the others, soon. Never fails. */
  send(hint: Hint): void;
  /** From now on, is told of the hints of others, and of a gap in which some may have been lost: as if of each. */
  listen(onHint: (hint: Hint) => void): void;
  close(): Promise<void>;
}

const CHANNEL = 'sequence_service';
/** One hint of a kind in so many milliseconds: NOTIFY takes a lock of the whole server when it commits. */
const EVERY_MS = 40;
/** A server that does not answer has so long to see the connection end. */
const END_MS = 500;
const RECONNECT_MS = { first: 100, most: 5_000 };

/** Hints by LISTEN and NOTIFY, on a connection of their own, so that no write commits with them. */
export class PostgresHints implements Hints {
  readonly #config: pg.ClientConfig;
  readonly #stopped = new AbortController();
  readonly #pending = new Set<Hint>();
  #client: pg.Client | undefined;
  #onHint: (hint: Hint) => void = () => {};
  #sending = false;
  #running: Promise<void> | undefined;

  /** @param config of the connection */
  constructor(config: pg.ClientConfig) {
    this.#config = config;
  }

  send(hint: Hint): void {
    if (this.#client === undefined) return;
    this.#pending.add(hint);
    if (!this.#sending) void this.#flush();
  }

  listen(onHint: (hint: Hint) => void): void {
    this.#onHint = onHint;
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    const client = this.#client;
    if (client !== undefined) {
      const cut = setTimeout(() => destroy(client), END_MS);
      await client.end();
      clearTimeout(cut);
    }
    await this.#running;
  }

  /** Sends what is to be told, and nothing more for a while. */
  async #flush(): Promise<void> {
    const client = this.#client;
    if (this.#pending.size === 0 || client === undefined) return;
    const hints = [...this.#pending];
    this.#pending.clear();
    this.#sending = true;
    const each = hints.map((_, index) => `pg_notify('${CHANNEL}', $${index + 1})`);
    try {
      await client.query(`SELECT ${each.join(', ')}`, hints);
      await sleep(EVERY_MS, undefined, { signal: this.#stopped.signal });
    } catch {
      // The connection is lost, and made anew; or this is the end.
    }
    this.#sending = false;
    if (this.#pending.size > 0) void this.#flush();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let wait = RECONNECT_MS.first;
    while (!signal.aborted) {
      const client = new pg.Client(this.#config);
      const { promise: lost, resolve: end } = Promise.withResolvers<void>();
      client.on('error', () => end());
      client.on('end', () => end());
      client.on('notification', ({ processId, payload }) => {
        const { processID: own } = client as unknown as { processID: number };
        if (processId !== own) this.#onHint(payload as Hint);
      });
      try {
        await client.connect();
        await client.query(`LISTEN ${CHANNEL}`);
        this.#client = client;
        wait = RECONNECT_MS.first;
        for (const hint of ['dirty', 'cleared'] as const) this.#onHint(hint);
        if (signal.aborted) await client.end();
        await lost;
      } catch {
        // The database is away: others tell, and polling goes on.
      }
      this.#client = undefined;
      await client.end().catch(() => {});
      if (signal.aborted) return;
      await sleep(wait, undefined, { signal }).catch(() => {});
      wait = Math.min(RECONNECT_MS.most, wait * 2);
    }
  }
}

function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
