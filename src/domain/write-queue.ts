import { LinkedList, type Place } from '../util/linked-list.ts';

/** What waits in a {@link WriteQueue}. */
export interface QueueEntry {
  /** The sequence that it writes to, as a string. */
  readonly sequenceName: string;
  /** About how much memory it holds. */
  readonly bytes: number;
  /** Where it waits; the queue's own. */
  place?: Place<QueueEntry> | undefined;
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
  readonly #lines = new Map<string, Line<E>>();
  /** The lines, in the order of their turns. */
  readonly #turn = new LinkedList<Line<E>>();
  #draws = 0;
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
    let line = this.#lines.get(entry.sequenceName);
    if (line === undefined) {
      line = new Line<E>(entry.sequenceName);
      this.#lines.set(line.name, line);
      line.place = this.#turn.add(line);
    }
    entry.place = line.entries.add(entry);
    line.bytes += entry.bytes;
    this.#count(1, entry.bytes);
  }

  /** Whether writes of a sequence wait. */
  has(sequenceName: string): boolean {
    return this.#lines.has(sequenceName);
  }

  /** Gives all that waits to another queue with the same use, but for some sequences; each in its order. */
  moveTo(other: WriteQueue<E>, but: ReadonlySet<string>): void {
    for (const { name, entries } of this.#turn.values())
      if (!but.has(name))
        for (const entry of entries.values()) {
          this.remove(entry);
          other.#add(entry);
        }
  }

  /** Takes an entry out before its turn; false where it does not wait. */
  remove(entry: E): boolean {
    const line = this.#lines.get(entry.sequenceName);
    if (line === undefined || entry.place === undefined || !line.entries.remove(entry.place as Place<E>))
      return false;
    entry.place = undefined;
    line.bytes -= entry.bytes;
    this.#count(-1, -entry.bytes);
    if (line.entries.size === 0) {
      this.#lines.delete(line.name);
      this.#turn.remove(line.place!);
    }
    return true;
  }

  /** Takes up to `maxEntries` entries of up to `maxBytes` together, at least one, each sequence in its turn. */
  draw(maxEntries: number, maxBytes: number): E[] {
    const drawn: E[] = [];
    const turns = this.#turns(maxEntries);
    this.#draws += 1;
    let bytes = 0;
    for (let place = this.#turn.first; place !== undefined; ) {
      const line = place.value;
      if (line.hadTurn(this.#draws) > turns) {
        place = this.#turn.after(place);
        continue;
      }
      const entry = line.entries.first!.value;
      if (drawn.length >= maxEntries || (drawn.length > 0 && bytes + entry.bytes > maxBytes)) break;
      drawn.push(entry);
      bytes += entry.bytes;
      const next = this.#turn.after(place);
      this.remove(entry);
      // Its next turn is in this draw too, behind those of the others.
      const again = this.#turn.remove(place);
      if (again) line.place = this.#turn.add(line);
      place = next ?? (again ? line.place : undefined);
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

/** The entries of one sequence, in the order of their arrival. */
class Line<E> {
  readonly name: string;
  readonly entries = new LinkedList<E>();
  bytes = 0;
  /** Where it stands among the others. */
  place: Place<Line<E>> | undefined;
  #draw = 0;
  #turns = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Counts its turns in a draw, with this one. */
  hadTurn(draw: number): number {
    if (this.#draw !== draw) this.#turns = 0;
    this.#draw = draw;
    this.#turns += 1;
    return this.#turns;
  }
}

const NO_LINE: Pick<Line<never>, 'entries' | 'bytes'> = new Line<never>('');
