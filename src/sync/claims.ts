import { PARKED } from '../db/entities/dirty-document.ts';
import {
  acknowledge,
  type DocumentState,
  type DueCursor,
  type DueDocument,
  hasten,
  postpone,
  type SyncReads,
} from '../db/queries/sync.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import type { Writer } from '../domain/writer.ts';
import { documentId } from './document.ts';

/**
 * Where a document that was taken stands. Beyond this a document is clean (no row in the database), dirty (a row that
 * is due), postponed (a row with a later time) or parked (a row without any); those are the database's to know.
 *
 * ```
 * dirty ──claim──▶ claimed ──▶ sending ──▶ settling ──▶ released: clean, dirty, postponed or parked
 *                     └─ not sent: breaker open, lease over, stop ─▶ released: dirty as before
 * ```
 *
 * What holds, in every interleaving:
 * 1. A document has one holder: between claim and release no claim returns it again.
 * 2. What is sent was read with, or after, the mark that was taken. So what is cleared by that mark, and only by it,
 *    was seen by the index; where the document has changed meanwhile, its row stays, with a newer mark.
 * 3. Released is only what is settled in the database (its clear, wait or parking has committed, or has failed) or was
 *    never sent. So the next send of a document begins after the end of the last.
 * 4. Nothing is sent after its lease's end: the sender looks before the first byte, and aborts there.
 * 5. A document whose send ended without an answer is distrusted until `SYNC_SETTLE` after: an acknowledgement
 *    meanwhile does not clear it but has it sent once more then ({@link Memory}).
 */
export type Phase = 'claimed' | 'sending' | 'settling' | 'released';

const BEFORE: Readonly<Record<Phase, readonly Phase[]>> = {
  claimed: [],
  sending: ['claimed'],
  settling: ['sending'],
  released: ['claimed', 'settling'],
};

/** A document that this process may send, and nobody else. */
export class Claim {
  readonly id: string;
  readonly due: DueDocument;
  /** Until when, on the clock of `performance.now()`. */
  readonly leaseEnd: number;
  /** Of what it is sent as: that of the newest resync which was begun before it was taken. */
  readonly generation: number;
  #state: DocumentState | null | undefined;
  #phase: Phase = 'claimed';

  constructor(
    id: string,
    due: DueDocument,
    state: DocumentState | null,
    lease: { readonly leaseEnd: number; readonly generation: number },
  ) {
    this.id = id;
    this.due = due;
    this.leaseEnd = lease.leaseEnd;
    this.generation = lease.generation;
    this.#state = state;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What the database implied for it when it was taken; null for what is not to be in the index. Until it is sent. */
  get state(): DocumentState | null {
    if (this.#state === undefined) throw new Error(`${this.id} has been sent`);
    return this.#state;
  }

  /** The next phase; one that cannot follow is a defect. */
  advance(phase: Phase): void {
    if (!BEFORE[phase].includes(this.#phase))
      throw new Error(`${this.id} is ${this.#phase}, and cannot be ${phase}`);
    this.#phase = phase;
    // It may be large, and is not needed any more.
    if (phase === 'settling') this.#state = undefined;
  }
}

/** What a claim may take. */
export interface ClaimLimits {
  readonly documents: number;
  /** Of content. */
  readonly bytes: number;
}

/** An answer that leaves a document dirty, for a time. */
export interface Answer {
  /** Until it is tried again, unless it has changed; undefined: it is parked. */
  readonly waitMs: number | undefined;
  readonly attempts: number;
  readonly error: string | null;
}

/** A document that stays dirty; without an answer it is due again when it is released. */
export interface Left {
  readonly claim: Claim;
  readonly answer?: Answer;
}

/**
 * How documents are taken, by one process of one or of many. An engine with many keeps the leases in its rows:
 * takes what is due and nobody holds, notes itself and the end there, and loads what was taken *then*.
 */
export interface Claims {
  /** How many documents are taken and not released. */
  readonly held: number;
  /** Takes documents that are due and not held, and tells whether there may be more. One at a time. Throws DatabaseError. */
  take(limits: ClaimLimits): Promise<{ claims: Claim[]; more: boolean }>;
  /** Whether the end of these is to be written, and so can fail. */
  writes(cleared: readonly Claim[], left: readonly Left[]): boolean;
  /** Writes it, in a transaction; resolves with whether nothing of it is left to `release`. */
  settle(tx: WriteTransaction, cleared: readonly Claim[], left: readonly Left[]): Promise<boolean>;
  /** Gives documents back, settled or never sent. Does not wait for the database. */
  release(claims: readonly Claim[], settled?: boolean): void;
  /** In how many milliseconds something may become due that is not now; undefined: not by itself. Throws DatabaseError. */
  nextDueMs(): Promise<number | undefined>;
  /** Where waits were noted by a clock that has been put back since: shortens those that are longer than any. */
  mindTheClock(longestWaitMs: number): Promise<void>;
  /** Resolves when nothing is left to be written. */
  close(): Promise<void>;
}

/** The share of a claim that is kept for low priority, so that a resync moves on under load: a quarter. */
export const RESERVED_SHARE = 4;
/** From time to time a pass begins anew though there is more: what became due behind it does not wait for its end. */
const PAGES_PER_PASS = 16;

/** A pass over the due documents of one priority. */
interface Pass {
  after: DueCursor | undefined;
  pages: number;
}
const FRONT: Pass = { after: undefined, pages: 0 };

/** What claims in memory are made of. */
export interface MemoryClaimsOptions {
  readonly reads: Pick<SyncReads, 'due' | 'nextDueTime'>;
  readonly writer: Pick<Writer, 'join'>;
  readonly leaseMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Of documents from now on. */
  readonly generation: () => number;
}

/**
 * Claims of the only process of a database: in memory. What is held is still in the rows that are due, so claims pass
 * over these from front to back, a page at a time, and read what is held again only when a pass begins anew.
 */
export class MemoryClaims implements Claims {
  readonly #options: MemoryClaimsOptions;
  readonly #held = new Set<string>();
  readonly #passes: readonly [Pass, Pass] = [{ ...FRONT }, { ...FRONT }];
  /** Released while a claim reads: it may have read their rows before they were settled. */
  #releasedMeanwhile: string[] | undefined;
  /** The clock as it was last seen; later than now where it has been put back, or may have been before the start. */
  #clock = Number.POSITIVE_INFINITY;
  /** When the last take began. */
  #taken = 0;

  constructor(options: MemoryClaimsOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#held.size;
  }

  async take(limits: ClaimLimits): Promise<{ claims: Claim[]; more: boolean }> {
    if (this.#releasedMeanwhile !== undefined) throw new Error('one claim at a time');
    this.#releasedMeanwhile = [];
    this.#taken = this.#options.now() * 1000;
    // Before it reads: what is read later is at least as new.
    const lease = {
      leaseEnd: performance.now() + this.#options.leaseMs,
      generation: this.#options.generation(),
    };
    const claims: Claim[] = [];
    try {
      const reserved = {
        documents: Math.ceil(limits.documents / RESERVED_SHARE),
        bytes: Math.floor(limits.bytes / RESERVED_SHARE),
      };
      const low = await this.#page(1, reserved, lease, claims);
      const high = await this.#page(0, rest(limits, claims), lease, claims);
      const left = rest(limits, claims);
      const more = low.more && left.documents >= reserved.documents && left.bytes > 0;
      const last = more ? await this.#page(1, left, lease, claims) : low;
      return { claims, more: high.more || last.more };
    } catch (error) {
      for (const { id } of claims) this.#held.delete(id);
      throw error;
    } finally {
      for (const id of this.#releasedMeanwhile) this.#held.delete(id);
      this.#releasedMeanwhile = undefined;
    }
  }

  writes(cleared: readonly Claim[], left: readonly Left[]): boolean {
    return cleared.length > 0 || left.some(({ answer }) => answer !== undefined);
  }

  async settle(tx: WriteTransaction, cleared: readonly Claim[], left: readonly Left[]): Promise<boolean> {
    const now = this.#options.now();
    await acknowledge(
      tx,
      cleared.map(({ due }) => due),
      now * 1000,
    );
    const postponed = left.flatMap(({ claim: { due }, answer }) => {
      if (answer === undefined) return [];
      const { waitMs, ...rest } = answer;
      return [
        { ...due, ...rest, nextTryTime: waitMs === undefined ? PARKED : Math.ceil((now + waitMs) * 1000) },
      ];
    });
    postpone(tx, postponed);
    return true;
  }

  async nextDueMs(): Promise<number | undefined> {
    const { reads, now } = this.#options;
    const next = await reads.nextDueTime(this.#taken);
    return next === undefined ? undefined : next / 1000 - now();
  }

  async mindTheClock(longestWaitMs: number): Promise<void> {
    const { now, writer } = this.#options;
    const time = now();
    if (time < this.#clock) await writer.join(async (tx) => hasten(tx, time * 1000, longestWaitMs * 1000));
    this.#clock = time;
  }

  async close(): Promise<void> {}

  release(claims: readonly Claim[]): void {
    for (const claim of claims) {
      claim.advance('released');
      if (this.#releasedMeanwhile === undefined) this.#held.delete(claim.id);
      else this.#releasedMeanwhile.push(claim.id);
    }
  }

  /** Takes the next documents of a priority that are not held: none only where there is none. */
  async #page(
    priority: 0 | 1,
    limits: ClaimLimits,
    lease: { readonly leaseEnd: number; readonly generation: number },
    claims: Claim[],
  ): Promise<{ more: boolean }> {
    if (limits.documents <= 0) return { more: true };
    const pass = this.#passes[priority];
    const before = claims.length;
    for (let fromFront = false; ; ) {
      fromFront ||= pass.after === undefined;
      const { documents, next } = await this.#options.reads.due(priority, this.#taken, limits, pass.after);
      pass.after = next;
      pass.pages = next === undefined ? 0 : pass.pages + 1;
      for (const { due, state } of documents) {
        const id = documentId(due);
        if (this.#held.has(id)) continue;
        this.#held.add(id);
        claims.push(new Claim(id, due, state, lease));
      }
      if (claims.length === before && (next !== undefined || !fromFront)) continue;
      if (pass.pages >= PAGES_PER_PASS) Object.assign(pass, FRONT);
      return { more: next !== undefined || !fromFront };
    }
  }
}

function rest(limits: ClaimLimits, claims: readonly Claim[]): ClaimLimits {
  let { bytes } = limits;
  for (const { state } of claims) bytes -= state?.content?.length ?? 0;
  return { documents: limits.documents - claims.length, bytes: Math.max(0, bytes) };
}
