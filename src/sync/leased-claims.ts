import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  clearLeased,
  hastenLeased,
  type LeasedDocument,
  leaveLeased,
  loadStates,
  nextFree,
  takeDue,
  type Unsettled,
} from '../db/queries/leases.ts';
import type { WriteConnection, WriteTransaction } from '../db/transaction.ts';
import { Claim, type ClaimLimits, type Claims, type Left, RESERVED_SHARE } from './claims.ts';
import { documentId } from './document.ts';
import type { Memory } from './memory.ts';

/** What leased claims are made of. */
export interface LeasedClaimsOptions {
  readonly connection: WriteConnection;
  /** Learns of requests of others that may still be applied, and tells of our own. */
  readonly memory: Memory;
  readonly leaseMs: number;
  /** How long after its end a request may still be applied. */
  readonly settleMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  /** What the target must be called for its documents to be taken. */
  readonly identity: string;
  /** Told when documents go to another target now: an operator has said so elsewhere. */
  readonly onRetargeted: () => void;
}

const TRANSACTION_MS = 5_000;
/** Rows that a writer is changing are freed later; after so many tries, at the end of their leases. */
const FREE_TRIES = 5;
const FREE_AGAIN_MS = 50;
/** Longer than any lease: the longest SYNC_CALL_TIMEOUT is five minutes. */
const LONGEST_LEASE_MS = 30 * 60_000;

/** Documents whose lease is to be ended. */
interface Freed {
  readonly claim: Claim;
  tries: number;
}

/**
 * Claims of one process of many: a lease in each document's row. It is taken and ended by transactions of a few
 * milliseconds that wait for no lock, and what is to be sent is read after it was taken.
 *
 * Each take has a token of its own. What ends a lease names it, so that who has lost his, because he was stopped past
 * its end for instance, changes nothing any more. And a lease that was not ended tells whoever takes the document next
 * that a request may be on its way: see `db/queries/leases.ts`.
 */
export class LeasedClaims implements Claims {
  readonly #options: LeasedClaimsOptions;
  /** The token of what is held. */
  readonly #tokens = new Map<Claim, string>();
  #taking = false;
  #toFree: Freed[] = [];
  #freeing: Promise<void> | undefined;
  #closing = false;
  /** The database's clock as it was last seen, microseconds; later than now where it has been put back. */
  #clock = Number.POSITIVE_INFINITY;
  #clockMinded = false;

  constructor(options: LeasedClaimsOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#tokens.size;
  }

  async take(limits: ClaimLimits): Promise<{ claims: Claim[]; more: boolean }> {
    if (this.#taking) throw new Error('one claim at a time');
    this.#taking = true;
    try {
      return await this.#take(limits);
    } finally {
      this.#taking = false;
    }
  }

  async #take(limits: ClaimLimits): Promise<{ claims: Claim[]; more: boolean }> {
    this.#options.memory.shrink(performance.now());
    const reserved = {
      documents: Math.ceil(limits.documents / RESERVED_SHARE),
      bytes: Math.floor(limits.bytes / RESERVED_SHARE),
    };
    const first = await this.#lease(reserved, limits);
    if (first.high.documents.length > 0 || !first.low.more) return await this.#load(first);
    const one = await this.#load(first);
    const rest = { documents: limits.documents - one.claims.length, bytes: limits.bytes - reserved.bytes };
    const other = await this.#load(await this.#lease(rest, undefined)).catch((error) => {
      this.release(one.claims);
      throw error;
    });
    return { claims: one.claims.concat(other.claims), more: other.more };
  }

  /** Takes leases, in a transaction that waits for nothing: its end is sent with its statements. */
  async #lease(lowLimits: ClaimLimits, highLimits: ClaimLimits | undefined): Promise<Taken> {
    const { connection, leaseMs, identity } = this.#options;
    const token = randomBytes(9).toString('base64url');
    const lease = { token, micros: leaseMs * 1000 };
    // Ours ends before the one in the rows does, which begins later.
    const leaseEnd = performance.now() + leaseMs;
    const taken = await connection.transaction(async (tx) => {
      const low = takeDue(tx, 1, lowLimits, lease);
      const high = highLimits === undefined ? NOTHING : takeDue(tx, 0, highLimits, lease);
      // Not awaited here: that would leave the rows locked for the way there and back, or while this process hangs.
      const both = Promise.all([low, high]);
      both.catch(() => {});
      return () => both;
    }, TRANSACTION_MS);
    const [low, high] = await taken();
    if (low.now < this.#clock) this.#clockMinded = false;
    this.#clock = low.now;
    return { token, leaseEnd, low, high, generation: low.generation, foreign: low.identity !== identity };
  }

  /** Reads what was taken. */
  async #load({
    token,
    leaseEnd,
    low,
    high,
    generation,
    foreign,
  }: Taken): Promise<{ claims: Claim[]; more: boolean }> {
    const { connection, memory, settleMs } = this.#options;
    const documents = [...low.documents, ...high.documents];
    const more = low.more || high.more;
    if (documents.length === 0) return { claims: [], more };
    for (const { doubtAge, ...due } of documents)
      if (doubtAge !== null && doubtAge / 1000 < settleMs)
        memory.distrust(documentId(due), performance.now() - doubtAge / 1000 + settleMs);
    const held = (due: LeasedDocument, state: ConstructorParameters<typeof Claim>[2]) => {
      const claim = new Claim(documentId(due), due, state, { leaseEnd, generation });
      this.#tokens.set(claim, token);
      return claim;
    };
    if (foreign) {
      this.release(documents.map((due) => held(due, null)));
      this.#options.onRetargeted();
      return { claims: [], more: false };
    }
    try {
      const states = await connection.transaction((tx) => loadStates(tx, documents), TRANSACTION_MS);
      const claims: Claim[] = [];
      const behind: Claim[] = [];
      for (const [index, due] of documents.entries()) {
        const state = states[index]!;
        if (state === 'behind') behind.push(held(due, null));
        else claims.push(held(due, state));
      }
      this.release(behind);
      return { claims, more };
    } catch (error) {
      this.release(documents.map((due) => held(due, null)));
      throw error;
    }
  }

  writes(cleared: readonly Claim[], left: readonly Left[]): boolean {
    return cleared.length > 0 || left.length > 0;
  }

  async settle(tx: WriteTransaction, cleared: readonly Claim[], left: readonly Left[]): Promise<boolean> {
    const leased = cleared.map((claim) => ({ ...claim.due, token: this.#token(claim) }));
    const counts = await Promise.all([
      clearLeased(tx, leased, this.#options.now() * 1000),
      leaveLeased(
        tx,
        left.map((one) => this.#unsettled(one)),
      ),
    ]);
    return counts[0] + counts[1] === cleared.length + left.length;
  }

  #unsettled({ claim, answer }: Left): Unsettled {
    const { memory, settleMs } = this.#options;
    const until = memory.unsettledUntil(claim.id);
    const now = performance.now();
    const { sequenceId, elementId, versionNumber, mark } = claim.due;
    return {
      sequenceId,
      elementId,
      versionNumber,
      token: this.#token(claim),
      doubtAge: until > now ? Math.max(0, now + settleMs - until) * 1000 : null,
      ...(answer === undefined
        ? {}
        : { answer: { ...answer, mark, wait: answer.waitMs === undefined ? null : answer.waitMs * 1000 } }),
    };
  }

  #token(claim: Claim): string {
    const token = this.#tokens.get(claim);
    if (token === undefined) throw new Error(`${claim.id} is not held`);
    return token;
  }

  release(claims: readonly Claim[], settled = false): void {
    for (const claim of claims) {
      claim.advance('released');
      if (settled) this.#tokens.delete(claim);
      else this.#toFree.push({ claim, tries: 0 });
    }
    if (this.#toFree.length > 0)
      this.#freeing ??= this.#free().finally(() => {
        this.#freeing = undefined;
      });
  }

  async #free(): Promise<void> {
    // One turn of the event loop collects what is given back at the same time.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#toFree.length > 0) {
      const batch = this.#toFree;
      this.#toFree = [];
      let freed = 0;
      try {
        const left = batch.map(({ claim }) => this.#unsettled({ claim }));
        freed = await this.#options.connection.transaction((tx) => leaveLeased(tx, left), TRANSACTION_MS);
      } catch (error) {
        // They are free at their leases' end.
        this.#options.onError(error);
        freed = batch.length;
      }
      for (const one of batch) {
        one.tries += 1;
        if (freed < batch.length && one.tries < FREE_TRIES && !this.#closing) this.#toFree.push(one);
        else this.#tokens.delete(one.claim);
      }
      if (this.#toFree.length > 0) await sleep(FREE_AGAIN_MS);
    }
  }

  async nextDueMs(): Promise<number | undefined> {
    const next = await this.#options.connection.transaction(nextFree, TRANSACTION_MS);
    return next === undefined ? undefined : next / 1000;
  }

  async mindTheClock(longestWaitMs: number): Promise<void> {
    if (this.#clockMinded) return;
    await this.#options.connection.transaction(
      async (tx) => hastenLeased(tx, longestWaitMs * 1000, LONGEST_LEASE_MS * 1000),
      TRANSACTION_MS,
    );
    this.#clockMinded = true;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#freeing;
  }
}

const NOTHING = { documents: [], more: false };

interface Taken {
  readonly token: string;
  readonly leaseEnd: number;
  readonly low: { readonly documents: LeasedDocument[]; readonly more: boolean };
  readonly high: { readonly documents: LeasedDocument[]; readonly more: boolean };
  readonly generation: number;
  readonly foreign: boolean;
}
