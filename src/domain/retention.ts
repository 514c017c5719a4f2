import { setTimeout as sleep } from 'node:timers/promises';
import { deleteOldChanges } from '../db/queries/changes.ts';
import type { Writer } from './writer.ts';

/** What the retention is made of. */
export interface RetentionOptions {
  readonly writer: Writer;
  /** How long change rows are kept, milliseconds. */
  readonly keepMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onDeleted: (count: number) => void;
  readonly onError: (error: unknown) => void;
}

const EVERY_MS = 3_600_000;
/** Between two transactions, so that it takes a small share of the writer. */
const PAUSE_MS = 100;
const PAGE = { sequences: 20, revisions: 250 };

/**
 * Deletes change rows that are older than they need be kept: once an hour, a few thousand in a transaction, which it
 * shares with the writes that wait.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when nothing runs. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** Deletes all that is old now; returns how many rows. */
  async drainOnce(): Promise<number> {
    const { writer, keepMs, now } = this.#options;
    const before = (now() - keepMs) * 1000;
    let deleted = 0;
    for (let after = 0; !this.#stopping.signal.aborted; ) {
      const page = await writer.join((tx) => deleteOldChanges(tx, { after, ...PAGE }, before));
      if (page.last === null) break;
      deleted += page.deleted;
      // A page that still had something to give is looked at again.
      if (page.deleted === 0) after = page.last;
      await this.#pause(PAUSE_MS);
    }
    return deleted;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        const deleted = await this.drainOnce();
        if (deleted > 0) this.#options.onDeleted(deleted);
      } catch (error) {
        if (!this.#stopping.signal.aborted) this.#options.onError(error);
      }
      await this.#pause(EVERY_MS);
    }
  }

  async #pause(ms: number): Promise<void> {
    // The rejection is the abort itself.
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
