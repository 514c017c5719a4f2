import type { DocumentState, DueCursor, DueDocument, SyncReads } from '../db/queries/sync.ts';
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
  #state: DocumentState | null | undefined;
  #phase: Phase = 'claimed';

  constructor(id: string, due: DueDocument, state: DocumentState | null, leaseEnd: number) {
    this.id = id;
    this.due = due;
    this.leaseEnd = leaseEnd;
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

/**
 * How documents are taken, by one process of one or of many. An engine with many keeps the leases in its rows:
 * takes what is due and nobody holds, notes itself and the end there, and loads what was taken *then*.
 */
export interface Claims {
  /** How many documents are taken and not released. */
  readonly held: number;
  /**
   * Takes documents that are due at `now` (microseconds) and not held, and tells whether there may be more. One at a
   * time. Throws DatabaseError.
   */
  take(limits: ClaimLimits, now: number): Promise<{ claims: Claim[]; more: boolean }>;
  /** Gives documents back, settled or never sent. */
  release(claims: readonly Claim[]): void;
}

/** The share of a claim that is kept for low priority, so that a resync moves on under load: a quarter. */
const RESERVED_SHARE = 4;
/** From time to time a pass begins anew though there is more: what became due behind it does not wait for its end. */
const PAGES_PER_PASS = 16;

/** A pass over the due documents of one priority. */
interface Pass {
  after: DueCursor | undefined;
  pages: number;
}
const FRONT: Pass = { after: undefined, pages: 0 };

/**
 * Claims of the only process of a database: in memory. What is held is still in the rows that are due, so claims pass
 * over these from front to back, a page at a time, and read what is held again only when a pass begins anew.
 */
export class MemoryClaims implements Claims {
  readonly #reads: Pick<SyncReads, 'due'>;
  readonly #leaseMs: number;
  readonly #held = new Set<string>();
  readonly #passes: readonly [Pass, Pass] = [{ ...FRONT }, { ...FRONT }];
  /** Released while a claim reads: it may have read their rows before they were settled. */
  #releasedMeanwhile: string[] | undefined;

  constructor(reads: Pick<SyncReads, 'due'>, leaseMs: number) {
    this.#reads = reads;
    this.#leaseMs = leaseMs;
  }

  get held(): number {
    return this.#held.size;
  }

  async take(limits: ClaimLimits, now: number): Promise<{ claims: Claim[]; more: boolean }> {
    if (this.#releasedMeanwhile !== undefined) throw new Error('one claim at a time');
    this.#releasedMeanwhile = [];
    const leaseEnd = performance.now() + this.#leaseMs;
    const claims: Claim[] = [];
    try {
      const reserved = {
        documents: Math.ceil(limits.documents / RESERVED_SHARE),
        bytes: Math.floor(limits.bytes / RESERVED_SHARE),
      };
      const low = await this.#page(1, reserved, now, leaseEnd, claims);
      const high = await this.#page(0, rest(limits, claims), now, leaseEnd, claims);
      const left = rest(limits, claims);
      const more = low.more && left.documents >= reserved.documents && left.bytes > 0;
      const last = more ? await this.#page(1, left, now, leaseEnd, claims) : low;
      return { claims, more: high.more || last.more };
    } catch (error) {
      for (const { id } of claims) this.#held.delete(id);
      throw error;
    } finally {
      for (const id of this.#releasedMeanwhile) this.#held.delete(id);
      this.#releasedMeanwhile = undefined;
    }
  }

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
    now: number,
    leaseEnd: number,
    claims: Claim[],
  ): Promise<{ more: boolean }> {
    if (limits.documents <= 0) return { more: true };
    const pass = this.#passes[priority];
    const before = claims.length;
    for (let fromFront = false; ; ) {
      fromFront ||= pass.after === undefined;
      const { documents, next } = await this.#reads.due(priority, now, limits, pass.after);
      pass.after = next;
      pass.pages = next === undefined ? 0 : pass.pages + 1;
      for (const { due, state } of documents) {
        const id = documentId(due);
        if (this.#held.has(id)) continue;
        this.#held.add(id);
        claims.push(new Claim(id, due, state, leaseEnd));
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
