import type { SyncMetrics } from '../metrics.ts';
import { type Breaker, BreakerOpenError } from './breaker.ts';
import type { CallBounds } from './call-bounds.ts';
import type { Claim } from './claims.ts';
import { type Operation, OutageError, type Target, type Verdict } from './target.ts';

/** What lanes are made of. */
export interface LanesOptions {
  readonly target: Target;
  readonly breaker: Breaker;
  readonly bounds: CallBounds;
  readonly metrics: SyncMetrics;
  /** What is to be done of a document, made from what was taken. */
  readonly operation: (claim: Claim) => Operation;
  /** A call has ended: with a verdict each, or with what was thrown. */
  readonly onEnd: (call: readonly Claim[], outcome: readonly Verdict[] | Error) => void;
  /** Documents that are not sent. */
  readonly onUnsent: (claims: readonly Claim[]) => void;
}

/** A call holds this much content at most; see {@link MAX_CLAIM_BYTES}. */
export const MAX_CALL_BYTES = 4 * 1024 * 1024;

/**
 * Sends what was claimed in calls of the target's size, several at a time: a lane takes the next as soon as its last
 * has ended, and ends where there is none.
 */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #running = new Set<Promise<void>>();
  #queue: Claim[] = [];
  #next = 0;
  #bytes = 0;
  #halted = false;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** How many documents wait to be sent. */
  get waiting(): number {
    return this.#queue.length - this.#next;
  }

  /** How much content they hold. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Whether calls are held back until {@link end}. */
  get halted(): boolean {
    return this.#halted;
  }

  /** Takes documents to send. */
  offer(claims: readonly Claim[]): void {
    this.#queue = this.#next === 0 ? this.#queue.concat(claims) : [...this.#rest(), ...claims];
    this.#next = 0;
    for (const claim of claims) this.#bytes += contentLength(claim);
    const { concurrency, batchSize } = this.#options.target;
    const calls = Math.ceil(this.waiting / batchSize);
    for (let free = Math.min(calls, concurrency - this.#running.size); free > 0; free--) {
      const lane: Promise<void> = this.#lane().finally(() => this.#running.delete(lane));
      this.#running.add(lane);
    }
  }

  /** No call begins any more. */
  halt(): void {
    this.#halted = true;
  }

  /** Resolves when no call runs, with what was not sent. From then on calls may begin again. */
  async end(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    const unsent = this.#rest();
    this.#queue = [];
    this.#next = 0;
    this.#bytes = 0;
    this.#halted = false;
    this.#options.onUnsent(unsent);
  }

  #rest(): Claim[] {
    return this.#queue.slice(this.#next);
  }

  async #lane(): Promise<void> {
    for (;;) {
      const call = this.#halted ? [] : this.#take();
      if (call.length === 0) return;
      await this.#send(call);
    }
  }

  /** The documents of the next call, without those whose lease is over. */
  #take(): Claim[] {
    const { target, onUnsent } = this.#options;
    const call: Claim[] = [];
    const now = performance.now();
    let bytes = 0;
    while (this.waiting > 0 && call.length < target.batchSize) {
      const claim = this.#queue[this.#next]!;
      const length = contentLength(claim);
      if (call.length > 0 && bytes + length > MAX_CALL_BYTES) break;
      bytes += length;
      this.#bytes -= length;
      this.#next += 1;
      if (claim.leaseEnd > now) call.push(claim);
      else onUnsent([claim]);
    }
    return call;
  }

  async #send(call: readonly Claim[]): Promise<void> {
    const { breaker, bounds, target, metrics, operation, onEnd, onUnsent } = this.#options;
    const started = performance.now();
    const end = call.reduce((first, { leaseEnd }) => Math.min(first, leaseEnd), Number.POSITIVE_INFINITY);
    try {
      const verdicts = await breaker.run(async () => {
        for (const claim of call) claim.advance('sending');
        const operations = call.map(operation);
        const answer = await target.send(operations, bounds.signal(end));
        // A refusal that may not be the document's own counts against the index.
        if (answer.some((verdict) => verdict.kind === 'refused' && verdict.blame !== 'document'))
          throw new Doubt(answer);
        return answer;
      });
      onEnd(call, verdicts);
    } catch (error) {
      if (error instanceof BreakerOpenError) {
        this.halt();
        return onUnsent(call);
      }
      if (!(error instanceof Doubt) && (target.batchSize > 1 || isOfAll(error))) this.halt();
      onEnd(call, error instanceof Doubt ? error.verdicts : asError(error));
    }
    metrics.sendDuration.observe((performance.now() - started) / 1000);
  }
}

/** A single document's outage may be its own, unless the index says otherwise; one of a whole batch is everyone's. */
function isOfAll(error: unknown): boolean {
  return !(error instanceof OutageError) || error.collectionMissing || error.retryAfterMs !== undefined;
}

function contentLength({ state }: Claim): number {
  return state?.content?.length ?? 0;
}

/** Verdicts of which some count as a failure of the index. */
class Doubt extends Error {
  readonly verdicts: Verdict[];
  constructor(verdicts: Verdict[]) {
    super('refused for a reason that may not be the document’s own');
    this.verdicts = verdicts;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
