import type { IncomingMessage, ServerResponse } from 'node:http';
import { cut, decode, half } from './bodies.ts';
import { type Applied, type Fault, FaultScript } from './faults.ts';
import { Loopback } from './loopback.ts';
import { type RecordedRequest, RequestLog } from './request-log.ts';

/** What a double answers when nothing goes wrong. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a double does, without the wire. */
export interface Behaviour {
  /** Applies a request to what the double keeps, and says the answer. */
  handle(request: RecordedRequest, body: string): Answer;
  /** The name of the route that a request takes; empty when there is none. */
  routeOf(method: string, path: string): string;
  /** How many documents a request carries. */
  documentsOf(route: string, body: string): number;
  /** Whether answers are chunked, as Typesense's are, or carry their length. */
  readonly chunked: boolean;
  readonly keepAliveMs: number;
}

interface Held {
  readonly request: RecordedRequest;
  readonly body: string;
}

/** The wire of every double: a real server, a record of what came, and a script of what goes wrong. */
export class FaultyServer {
  readonly faults = new FaultScript();
  readonly log = new RequestLog();
  /** Whether the log keeps the requests, and their bodies; off for runs whose memory is measured. */
  keeps: 'all' | 'heads' | 'nothing' = 'all';
  readonly #behaviour: Behaviour;
  readonly #loopback: Loopback;
  readonly #timers = new Set<NodeJS.Timeout>();
  #held: Held[] = [];
  #stopped = false;

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour;
    this.#loopback = new Loopback(behaviour.keepAliveMs, (request, response) => {
      this.#receive(request, response).catch((error) => response.destroy(error));
    });
  }

  /** `http://127.0.0.1:port`, the same for its whole life. */
  get url(): string {
    return `http://127.0.0.1:${this.#loopback.port}`;
  }

  get port(): number {
    return this.#loopback.port;
  }

  /** Connections accepted so far, and those open now. */
  get connections(): { readonly accepted: number; readonly open: number } {
    return { accepted: this.#loopback.accepted, open: this.#loopback.connections };
  }

  /** Listens; after {@link refuse} on the same port, with everything kept. */
  open(): Promise<void> {
    return this.#loopback.open();
  }

  /** Closes the port and breaks every connection, as a process that has died. */
  refuse(): Promise<void> {
    return this.#loopback.close();
  }

  /** Ends everything, what was put off too. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#held = [];
    await this.#loopback.close();
  }

  /** Applies the requests that a fault has held back, in their order, and says how many these were. */
  applyHeld(): number {
    const held = this.#held.splice(0);
    for (const { request, body } of held) this.#apply(request, body);
    return held.length;
  }

  async #receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // The client went before its request was whole.
    }
    const body = decode(Buffer.concat(chunks));
    const request = this.#record(incoming, body);
    response.once('close', () => {
      this.log.inFlight--;
      if (request.outcome === 'pending') request.outcome = 'client-gone';
    });
    await this.#meet(this.faults.take(request), request, body, response);
  }

  #record(incoming: IncomingMessage, body: string): RecordedRequest {
    const { log } = this;
    const method = incoming.method ?? 'GET';
    const [path = '/', query = ''] = (incoming.url ?? '/').split(/\?(.*)/s);
    const route = this.#behaviour.routeOf(method, path);
    const request: RecordedRequest = {
      number: log.nextNumber(),
      atMs: performance.now(),
      method,
      path,
      query: new URLSearchParams(query),
      headers: incoming.headers as Record<string, string>,
      route,
      body: this.keeps === 'all' ? body : '',
      documents: this.#behaviour.documentsOf(route, body),
      fault: 'none',
      applied: false,
      status: 0,
      outcome: 'pending',
    };
    if (this.keeps !== 'nothing') log.requests.push(request);
    log.documentsReceived += request.documents;
    log.mostInFlight = Math.max(log.mostInFlight, ++log.inFlight);
    return request;
  }

  async #meet(fault: Fault, request: RecordedRequest, body: string, response: ServerResponse): Promise<void> {
    if (fault.kind !== 'none') request.fault = fault.kind;
    switch (fault.kind) {
      case 'none':
        return this.#send(request, response, this.#apply(request, body));
      case 'delay':
        return this.#later(fault.ms, () =>
          this.#meet(fault.followedBy ?? { kind: 'none' }, request, body, response),
        );
      case 'hang':
        return this.#applyUnanswered(fault.apply ?? 'never', fault.lateMs ?? 0, request, body, response);
      case 'reset': {
        const apply = fault.apply ?? (fault.answer === 'half' ? 'now' : 'never');
        const answer = apply === 'never' ? undefined : this.#apply(request, cut(body, apply));
        return this.#breakOff(request, response, fault.answer === 'half' ? answer : undefined, 'reset');
      }
      case 'refuse':
        request.outcome = 'broken';
        if (fault.forMs !== undefined) this.#later(fault.forMs, () => this.open());
        return await this.refuse();
      case 'answer': {
        if (fault.apply === 'now') this.#apply(request, body);
        const { status, headers = {} } = fault;
        return this.#send(request, response, { status, headers, body: fault.body ?? '' });
      }
      case 'fewer-lines': {
        const answer = this.#apply(request, body);
        const lines = answer.body.split('\n').slice(0, -(fault.missing ?? 1));
        return this.#send(request, response, { ...answer, body: lines.join('\n') });
      }
      case 'truncate': {
        const answer = this.#apply(request, body);
        const end = fault.end ?? 'close';
        if (end !== 'clean') return this.#breakOff(request, response, answer, end);
        return this.#send(request, response, { ...answer, body: half(answer.body) });
      }
    }
  }

  #apply(request: RecordedRequest, body: string): Answer {
    request.applied = true;
    return this.#behaviour.handle(request, body);
  }

  #applyUnanswered(
    apply: Applied,
    lateMs: number,
    request: RecordedRequest,
    body: string,
    response: ServerResponse,
  ): void {
    if (apply === 'now' || apply === 'half') this.#apply(request, cut(body, apply));
    else if (apply === 'held') this.#held.push({ request, body });
    else if (apply === 'on-close')
      response.once('close', () => this.#later(lateMs, () => this.#apply(request, body)));
  }

  #send(request: RecordedRequest, response: ServerResponse, answer: Answer): void {
    if (response.destroyed) return; // The client did not wait; its outcome says so.
    request.status = answer.status;
    request.outcome = 'answered';
    this.#head(response, answer);
    response.end(answer.body);
  }

  #breakOff(
    request: RecordedRequest,
    response: ServerResponse,
    answer: Answer | undefined,
    end: 'close' | 'reset',
  ): void {
    request.outcome = 'broken';
    const { socket } = response;
    const destroy = () => (end === 'reset' ? socket?.resetAndDestroy() : socket?.destroy());
    if (answer === undefined) return void destroy();
    this.#head(response, { ...answer, body: `${answer.body} ` });
    // A reset may overtake what was written before it: it waits until the half has had time to arrive.
    response.write(half(answer.body) || ' ', () => this.#later(end === 'reset' ? 20 : 0, destroy));
  }

  #head(response: ServerResponse, { status, headers, body }: Answer): void {
    response.sendDate = !this.#behaviour.chunked;
    const framing = this.#behaviour.chunked
      ? { connection: 'keep-alive', 'transfer-encoding': 'chunked' }
      : { 'content-length': String(Buffer.byteLength(body)) };
    response.writeHead(status, { ...framing, ...headers });
  }

  #later(ms: number, act: () => unknown): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}
