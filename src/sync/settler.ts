import { setTimeout as sleep } from 'node:timers/promises';
import { PARKED } from '../db/entities/dirty-document.ts';
import { acknowledge, type DueDocument, postpone } from '../db/queries/sync.ts';
import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { SyncMetrics } from '../metrics.ts';
import type { Claim } from './claims.ts';
import type { Memory } from './memory.ts';
import { OutageError, type Verdict } from './target.ts';

/** What settling is made of. */
export interface SettlerOptions {
  readonly writer: Writer;
  readonly memory: Memory;
  readonly limits: {
    readonly maxAttempts: number;
    readonly settleMs: number;
    readonly minWaitMs: number;
    readonly maxWaitMs: number;
  };
  readonly metrics: SyncMetrics;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Whether a failed call leaves its document alone for a time of its own, as where each document is a call. */
  readonly single: boolean;
  /** Whether more calls are about to end: then a transaction waits for them a little. */
  readonly busy: () => boolean;
  /** Told of documents whose state is in the database, or could not be brought there: then with the error. */
  readonly onSettled: (claims: readonly Claim[], error?: unknown) => void;
}

/** While calls end all the time, a transaction gathers so many documents, or for so long. */
const GATHERED = 256;
const GATHER_MS = 20;

type Postponed = Parameters<typeof postpone>[1][number];

/** Documents that a transaction is to settle. */
interface Round {
  readonly cleared: Claim[];
  readonly left: Claim[];
  readonly postponed: Postponed[];
}

/**
 * Brings what became of documents into the database: clears, postpones and parks them in the transaction of the next
 * batch of writes. The next calls do not wait for it; what ends meanwhile shares the next transaction.
 */
export class Settler {
  readonly #options: SettlerOptions;
  #round: Round = newRound();
  #running: Promise<void> | undefined;
  #lastFailed: string | undefined;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** The document that failed last. */
  get lastFailed(): string | undefined {
    return this.#lastFailed;
  }

  /** A call has ended; returns the first refusal, in one line. */
  add(call: readonly Claim[], outcome: readonly Verdict[] | Error): string | undefined {
    const { metrics } = this.#options;
    let error: string | undefined;
    for (const claim of call) claim.advance('settling');
    if (outcome instanceof Error) {
      metrics.documents.inc({ outcome: 'outage' }, call.length);
      for (const claim of call) this.#outage(claim, outcome);
    } else {
      let acknowledged = 0;
      const elapsed = performance.now();
      for (const [index, claim] of call.entries()) {
        const verdict = outcome[index]!;
        if (verdict.kind === 'acknowledged') {
          acknowledged += 1;
          this.#acknowledged(claim, elapsed);
        } else {
          this.#refused(claim, verdict);
          error ??= `${claim.id}: ${verdict.error}`;
        }
      }
      if (acknowledged > 0) metrics.documents.inc({ outcome: 'acknowledged' }, acknowledged);
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return error;
  }

  /** Resolves when nothing is left to settle. */
  async end(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #acknowledged(claim: Claim, elapsed: number): void {
    const { memory, now } = this.#options;
    const again = memory.pass(claim.id, elapsed);
    if (again === undefined) this.#round.cleared.push(claim);
    else this.#leave(claim, { nextTryTime: Math.ceil((now() + again) * 1000), error: null });
  }

  #outage(claim: Claim, error: Error): void {
    const { memory, limits, now, single } = this.#options;
    this.#lastFailed = claim.id;
    // What threw anything else may have sent it too.
    if (!(error instanceof OutageError) || error.unanswered)
      memory.distrust(claim.id, performance.now() + limits.settleMs);
    const wait = memory.fail(claim.id, this.#options);
    if (single) this.#leave(claim, { nextTryTime: (now() + wait) * 1000, error: null });
    else this.#round.left.push(claim);
  }

  #refused(claim: Claim, verdict: Extract<Verdict, { kind: 'refused' }>): void {
    const { memory, limits, metrics, logger, now } = this.#options;
    this.#lastFailed = claim.id;
    const counted = memory.counts(claim.id, verdict.blame);
    const wait = memory.fail(claim.id, this.#options);
    const attempts = claim.due.attempts + (counted ? 1 : 0);
    const parked = attempts >= limits.maxAttempts;
    metrics.documents.inc({ outcome: parked ? 'parked' : 'refused' });
    if (parked) logger.warn({ document_id: claim.id, attempts, error: verdict.error }, 'document parked');
    const nextTryTime = parked ? PARKED : (now() + wait) * 1000;
    this.#leave(claim, { attempts, error: verdict.error, nextTryTime });
  }

  #leave(claim: Claim, change: Pick<Postponed, 'nextTryTime' | 'error'> & { attempts?: number }): void {
    this.#round.left.push(claim);
    this.#round.postponed.push({ ...claim.due, ...change });
  }

  async #run(): Promise<void> {
    // One turn of the event loop collects the calls that end with this one.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#round.cleared.length + this.#round.left.length > 0) {
      if (this.#options.busy() && this.#round.cleared.length + this.#round.left.length < GATHERED)
        await sleep(GATHER_MS);
      const round = this.#round;
      this.#round = newRound();
      await this.#settle(round);
    }
  }

  async #settle({ cleared, left, postponed }: Round): Promise<void> {
    const { writer, memory, now, onSettled } = this.#options;
    const claims = cleared.concat(left);
    try {
      if (cleared.length > 0 || postponed.length > 0) {
        const documents: DueDocument[] = cleared.map(({ due }) => due);
        await writer.join(async (tx) => {
          await acknowledge(tx, documents, now() * 1000);
          postpone(tx, postponed);
        });
      }
    } catch (error) {
      return onSettled(claims, error);
    }
    for (const { id } of cleared) memory.forget(id);
    onSettled(claims);
  }
}

function newRound(): Round {
  return { cleared: [], left: [], postponed: [] };
}
