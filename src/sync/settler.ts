import { setTimeout as sleep } from 'node:timers/promises';
import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { SyncMetrics } from '../metrics.ts';
import type { Answer, Claim, Claims, Left } from './claims.ts';
import type { Memory } from './memory.ts';
import { OutageError, type Verdict } from './target.ts';

/** What settling is made of. */
export interface SettlerOptions {
  readonly writer: Writer;
  readonly claims: Claims;
  readonly memory: Memory;
  readonly limits: {
    readonly maxAttempts: number;
    readonly settleMs: number;
    readonly minWaitMs: number;
    readonly maxWaitMs: number;
  };
  readonly metrics: SyncMetrics;
  readonly logger: Logger;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Whether a failed call leaves its document alone for a time of its own, as where each document is a call. */
  readonly single: boolean;
  /** Whether more calls are about to end: then a transaction waits for them a little. */
  readonly busy: () => boolean;
  /** Told of documents whose state is in the database, and whether all of it; or could not be brought there: then why. */
  readonly onSettled: (claims: readonly Claim[], complete: boolean, error?: unknown) => void;
}

/** While calls end all the time, a transaction gathers so many documents, or for so long. */
const GATHERED = 256;
const GATHER_MS = 20;

/** Documents that a transaction is to settle. */
interface Round {
  readonly cleared: Claim[];
  readonly left: Left[];
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
    const { memory } = this.#options;
    const again = memory.pass(claim.id, elapsed);
    if (again === undefined) this.#round.cleared.push(claim);
    else this.#leave(claim, { waitMs: again, error: null });
  }

  #outage(claim: Claim, error: Error): void {
    const { memory, limits, single } = this.#options;
    this.#lastFailed = claim.id;
    // What threw anything else may have sent it too.
    if (!(error instanceof OutageError) || error.unanswered)
      memory.distrust(claim.id, performance.now() + limits.settleMs);
    const wait = memory.fail(claim.id, this.#options);
    if (single) this.#leave(claim, { waitMs: wait, error: null });
    else this.#round.left.push({ claim });
  }

  #refused(claim: Claim, verdict: Extract<Verdict, { kind: 'refused' }>): void {
    const { memory, limits, metrics, logger } = this.#options;
    this.#lastFailed = claim.id;
    const counted = memory.counts(claim.id, verdict.blame);
    const wait = memory.fail(claim.id, this.#options);
    const attempts = claim.due.attempts + (counted ? 1 : 0);
    const parked = attempts >= limits.maxAttempts;
    metrics.documents.inc({ outcome: parked ? 'parked' : 'refused' });
    if (parked) logger.warn({ document_id: claim.id, attempts, error: verdict.error }, 'document parked');
    this.#leave(claim, { attempts, error: verdict.error, waitMs: parked ? undefined : wait });
  }

  #leave(claim: Claim, answer: Omit<Answer, 'attempts'> & { attempts?: number }): void {
    this.#round.left.push({ claim, answer: { attempts: claim.due.attempts, ...answer } });
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

  async #settle({ cleared, left }: Round): Promise<void> {
    const { writer, memory, onSettled, claims: kept } = this.#options;
    const claims = cleared.concat(left.map(({ claim }) => claim));
    let complete = false;
    try {
      if (kept.writes(cleared, left)) complete = await writer.join((tx) => kept.settle(tx, cleared, left));
    } catch (error) {
      return onSettled(claims, false, error);
    }
    for (const { id } of cleared) memory.forget(id);
    onSettled(claims, complete);
  }
}

function newRound(): Round {
  return { cleared: [], left: [] };
}
