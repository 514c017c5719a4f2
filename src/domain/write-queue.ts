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

/**
 * One FIFO per sequence, drawn round-robin, so that a busy sequence delays its own writes and not those of
 * the others. Bounded in entries and bytes, together with other queues where they share their use.
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
   * About how many entries, and bytes, are drawn before an entry of this sequence that would come now: in each round
   * every sequence has its turn.
   */
  ahead(sequenceName: string): { entries: number; bytes: number } {
    const rounds = (this.#lines.get(sequenceName)?.entries.size ?? 0) + 1;
    const entries = Math.min(this.#entries, rounds * this.#lines.size);
    return { entries, bytes: this.#entries === 0 ? 0 : (this.#bytes * entries) / this.#entries };
  }

  /** Adds an entry; false, and nothing is added, where it would break a bound. */
  offer(entry: E): boolean {
    const { maxEntries, maxBytes } = this.#limits;
    const line = this.#lines.get(entry.sequenceName) ?? { entries: new Set<E>(), bytes: 0 };
    if (this.#use.entries + 1 > maxEntries || this.#use.bytes + entry.bytes > maxBytes) return false;
    if (line.entries.size + 1 > maxEntries / 2 || line.bytes + entry.bytes > maxBytes / 2) return false;
    line.entries.add(entry);
    line.bytes += entry.bytes;
    this.#count(1, entry.bytes);
    this.#lines.set(entry.sequenceName, line);
    return true;
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
    let bytes = 0;
    // A line put back at the Map's end is visited again by this same loop.
    for (const [name, line] of this.#lines) {
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
}

interface Line<E> {
  readonly entries: Set<E>;
  bytes: number;
}
