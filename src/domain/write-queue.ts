/** What waits in a {@link WriteQueue}. */
export interface QueueEntry {
  /** The sequence that it writes to, as a string. */
  readonly sequenceName: string;
  /** About how much memory it holds. */
  readonly bytes: number;
}

/** The bounds of a {@link WriteQueue}. One sequence may hold half of each at most. */
export interface QueueLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** What the queues of a writer hold together. */
export interface QueueUse {
  entries: number;
  bytes: number;
}

/** A sequence's turns in one draw: so many times its fair share of what waits, and never fewer than so many. */
const SHARES = 2;
const MIN_TURNS = 8;
/** A sequence may wait for so many draws of its turns; it is let in beyond that while it has fewer entries than so many. */
const MAX_DRAWS = 8;
const MIN_LINE = 64;

/**
 * One FIFO per sequence, drawn round-robin, so that a busy sequence delays its own writes and not those of
 * the others. Bounded in entries and bytes, together with other queues where they share their use.
 *
 * One draw takes no more of a sequence than twice its share, though there be room. Where the writer is not what is
 * short but the event loop, every draw would have room for all: callers whose writes are not drawn do not come back
 * at once, and so leave the loop to the others.
 */
export class WriteQueue<E extends QueueEntry> {
  readonly #limits: QueueLimits;
  // A Set keeps the order of arrival and lets go of any entry at once; the Map's order is whose turn it is.
  readonly #lines = new Map<string, Line<E>>();
  readonly #use: QueueUse;
  #entries = 0;
  #bytes = 0;

  constructor(limits: QueueLimits, use: QueueUse = { entries: 0, bytes: 0 }) {
    this.#limits = limits;
    this.#use = use;
  }

  /** How many entries wait. */
  get entries(): number {
    return this.#entries;
  }

  /** About how much memory they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * About how many draws of this size come before the one that takes an entry of this sequence which would come now:
   * in each round every sequence has its turn.
   */
  drawsBefore(sequenceName: string, maxEntries: number, maxBytes: number): number {
    const own = this.#lines.get(sequenceName)?.entries.size ?? 0;
    const entries = Math.min(this.#entries, (own + 1) * this.#lines.size);
    const bytes = entries === 0 ? 0 : (this.#bytes * entries) / this.#entries;
    return Math.floor(Math.max(entries / maxEntries, bytes / maxBytes, own / this.#turns(maxEntries)));
  }

  /** Adds an entry; false, and nothing is added, where it would break a bound. */
  offer(entry: E): boolean {
    const { maxEntries, maxBytes } = this.#limits;
    const line = this.#lines.get(entry.sequenceName) ?? NO_LINE;
    if (this.#use.entries + 1 > maxEntries || this.#use.bytes + entry.bytes > maxBytes) return false;
    if (line.entries.size + 1 > maxEntries / 2 || line.bytes + entry.bytes > maxBytes / 2) return false;
    if (line.entries.size >= Math.max(MIN_LINE, MAX_DRAWS * this.#turns(maxEntries))) return false;
    this.#add(entry);
    return true;
  }

  #add(entry: E): void {
    const line = this.#lines.get(entry.sequenceName) ?? { entries: new Set<E>(), bytes: 0 };
    line.entries.add(entry);
    line.bytes += entry.bytes;
    this.#count(1, entry.bytes);
    this.#lines.set(entry.sequenceName, line);
  }

  /** Whether writes of a sequence wait. */
  has(sequenceName: string): boolean {
    return this.#lines.has(sequenceName);
  }

  /** Gives all that waits to another queue with the same use, but for some sequences; each in its order. */
  moveTo(other: WriteQueue<E>, but: ReadonlySet<string>): void {
    for (const [name, { entries }] of [...this.#lines])
      if (!but.has(name))
        for (const entry of [...entries]) {
          this.remove(entry);
          other.#add(entry);
        }
  }

  /** Takes an entry out before its turn; false where it does not wait. */
  remove(entry: E): boolean {
    const line = this.#lines.get(entry.sequenceName);
    if (!line?.entries.delete(entry)) return false;
    line.bytes -= entry.bytes;
    this.#count(-1, -entry.bytes);
    if (line.entries.size === 0) this.#lines.delete(entry.sequenceName);
    return true;
  }

  /** Takes up to `maxEntries` entries of up to `maxBytes` together, at least one, each sequence in its turn. */
  draw(maxEntries: number, maxBytes: number): E[] {
    const drawn: E[] = [];
    const turns = this.#turns(maxEntries);
    const had = new Map<string, number>();
    let bytes = 0;
    // A line put back at the Map's end is visited again by this same loop.
    for (const [name, line] of this.#lines) {
      const turn = (had.get(name) ?? 0) + 1;
      if (turn > turns) continue;
      had.set(name, turn);
      const [entry] = line.entries;
      if (drawn.length >= maxEntries || (drawn.length > 0 && bytes + entry!.bytes > maxBytes)) break;
      drawn.push(entry!);
      bytes += entry!.bytes;
      this.remove(entry!);
      if (this.#lines.delete(name)) this.#lines.set(name, line);
    }
    return drawn;
  }

  #count(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
    this.#use.entries += entries;
    this.#use.bytes += bytes;
  }

  /** How often a sequence has its turn in a draw of this size. */
  #turns(maxEntries: number): number {
    const waiting = Math.min(this.#entries, maxEntries);
    return Math.max(MIN_TURNS, Math.ceil((SHARES * waiting) / Math.max(1, this.#lines.size)));
  }
}

interface Line<E> {
  readonly entries: Set<E>;
  bytes: number;
}

const NO_LINE: Line<never> = { entries: new Set(), bytes: 0 };
