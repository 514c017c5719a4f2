/** What became of a request, as far as the double knows. */
export type Outcome = 'pending' | 'answered' | 'client-gone' | 'broken';

/** A request that came to a double. */
export interface RecordedRequest {
  /** 1 for the first. */
  readonly number: number;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** Its name in the double's table of routes; empty when there is none. */
  readonly route: string;
  /** Empty when the double keeps none. */
  body: string;
  /** How many documents it carries. */
  documents: number;
  /** The kind of fault that it met, `none` mostly. */
  fault: string;
  /** Whether it has taken effect, or been refused by the double's own checks. */
  applied: boolean;
  /** 0 until there is one. */
  status: number;
  outcome: Outcome;
}

/** Every request that came, and what can be counted of them. */
export class RequestLog {
  /** In the order in which their bodies were complete. */
  readonly requests: RecordedRequest[] = [];
  /** Documents in requests whose body came whole, whatever became of them. */
  documentsReceived = 0;
  inFlight = 0;
  /** The most requests that were unanswered at one time. */
  mostInFlight = 0;
  #number = 0;

  nextNumber(): number {
    return ++this.#number;
  }

  /** How many requests came, whether still remembered or not. */
  get total(): number {
    return this.#number;
  }

  /** The requests to a route. */
  to(route: string): RecordedRequest[] {
    return this.requests.filter((request) => request.route === route);
  }

  /** Requests by route, those to no route under the empty name. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { route } of this.requests) counts[route] = (counts[route] ?? 0) + 1;
    return counts;
  }

  forget(): void {
    this.requests.length = 0;
    this.documentsReceived = 0;
    this.mostInFlight = this.inFlight;
  }
}
