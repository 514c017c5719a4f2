import type { RecordedRequest } from './request-log.ts';

/**
 * When a request that is not answered takes effect: never; at once; half of its lines at once; when its client has
 * gone (after `lateMs`); or only when the test says `applyHeld()`.
 */
export type Applied = 'never' | 'now' | 'half' | 'on-close' | 'held';

/** What goes wrong with one request, after its body has been read and before any check of the double's own. */
export type Fault =
  /** Never answered; the connection stays open. */
  | { readonly kind: 'hang'; readonly apply?: Applied; readonly lateMs?: number }
  /** The connection breaks, before the answer or in the middle of it (which needs `apply: 'now'` to exist). */
  | { readonly kind: 'reset'; readonly apply?: 'never' | 'now' | 'half'; readonly answer?: 'none' | 'half' }
  /** The connection breaks and the port is closed, until `open()` or for a time. */
  | { readonly kind: 'refuse'; readonly forMs?: number }
  /** Any answer; the request is not applied unless so asked. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly apply?: 'never' | 'now';
    }
  /** Applied, and the answer lacks its last lines. */
  | { readonly kind: 'fewer-lines'; readonly missing?: number }
  /** Applied, and half of the body comes: with a well-formed end of message, or the connection ends or resets there. */
  | { readonly kind: 'truncate'; readonly end?: 'clean' | 'close' | 'reset' }
  /** Waits, then goes on, with another fault if there is one. */
  | { readonly kind: 'delay'; readonly ms: number; readonly followedBy?: Fault }
  /** Nothing goes wrong; a place in a queue. */
  | { readonly kind: 'none' };

/** Which requests a fault is for; all when left out. */
export type Matches = (request: RecordedRequest) => boolean;

/** A fault that lasts until it is ended. */
export interface Outage {
  /** How many requests it met. */
  readonly hits: number;
  end(): void;
}

interface Rule {
  readonly matches: Matches;
  readonly fault: (request: RecordedRequest) => Fault;
}

const every: Matches = () => true;
const NONE: Fault = { kind: 'none' };

/** What goes wrong, in which order. Faults of the queue come before lasting ones; of each, the first that matches. */
export class FaultScript {
  #queue: Rule[] = [];
  #lasting: Rule[] = [];

  /** The next matching requests get these, one each, in order. */
  next(faults: Fault | readonly Fault[], matches: Matches = every): void {
    const list = Array.isArray(faults) ? (faults as readonly Fault[]) : [faults as Fault];
    this.#queue.push(...list.map((fault) => ({ matches, fault: () => fault })));
  }

  /** Every matching request gets this, until the outage is ended. */
  always(fault: Fault, matches: Matches = every): Outage {
    return this.#last(matches, () => fault);
  }

  /** Of the matching requests, `up` go well, `down` get the fault, and so on. */
  flapping(turns: { up: number; down: number; fault: Fault }, matches: Matches = every): Outage {
    let count = 0;
    return this.#last(matches, () => (count++ % (turns.up + turns.down) < turns.up ? NONE : turns.fault));
  }

  /** Forgets every fault, those of the queue too. */
  clear(): void {
    this.#queue = [];
    this.#lasting = [];
  }

  /** How many faults of the queue have not yet met a request. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The fault of this request; used up if it was in the queue. */
  take(request: RecordedRequest): Fault {
    const at = this.#queue.findIndex(({ matches }) => matches(request));
    if (at >= 0) return this.#queue.splice(at, 1)[0]!.fault(request);
    return this.#lasting.find(({ matches }) => matches(request))?.fault(request) ?? NONE;
  }

  #last(matches: Matches, fault: Rule['fault']): Outage {
    let hits = 0;
    const rule: Rule = {
      matches,
      fault: (request) => {
        hits++;
        return fault(request);
      },
    };
    this.#lasting.push(rule);
    return {
      get hits() {
        return hits;
      },
      end: () => {
        this.#lasting = this.#lasting.filter((one) => one !== rule);
      },
    };
  }
}

const text = { 'content-type': 'application/json; charset=utf-8' };

/** Answers that are often wanted. */
export const answers = {
  /** Typesense's shape of an error. */
  error: (status: number, message: string, headers: Readonly<Record<string, string>> = {}): Fault => ({
    kind: 'answer',
    status,
    body: JSON.stringify({ message }),
    headers: { ...text, ...headers },
  }),
  /** FastAPI's shape of an error. */
  detail: (status: number, detail: string, headers: Readonly<Record<string, string>> = {}): Fault => ({
    kind: 'answer',
    status,
    body: JSON.stringify({ detail }),
    headers: { 'content-type': 'application/json', ...headers },
  }),
  tooMany: (retryAfter: string): Fault =>
    answers.error(429, 'Rate limit exceeded or blocked', { 'retry-after': retryAfter }),
  notReady: (): Fault => answers.error(503, 'Not Ready or Lagging'),
  diskFull: (): Fault => answers.error(422, 'Rejecting write: running out of resource type: OUT_OF_DISK'),
  /** What a proxy or a captive portal says. */
  html: (status = 200): Fault => ({
    kind: 'answer',
    status,
    body: '<!doctype html><title>Welcome</title><p>It works!',
    headers: { 'content-type': 'text/html' },
  }),
  /** A dead leader behind a follower: no body, an empty content type. */
  empty: (status = 500): Fault => ({ kind: 'answer', status, body: '', headers: { 'content-type': '' } }),
} as const;
