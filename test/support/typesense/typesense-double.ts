import { earlyError } from './answer.ts';
import type { Answer } from './faulty-server.ts';
import { FaultyServer } from './faulty-server.ts';
import { type Condition, goodCondition, refusedAtGate } from './gate.ts';
import { handle } from './handlers.ts';
import { linesOf } from './import.ts';
import type { IndexedDocument } from './json.ts';
import type { RecordedRequest } from './request-log.ts';
import { match } from './routes.ts';
import { Store } from './store.ts';

export interface TypesenseOptions {
  readonly apiKey?: string;
  /** An index that is there already; a new one when left out. */
  readonly store?: Store;
}

/** Typesense 29 as `typesense-http.md` records it, in this process, with real documents. */
export class TypesenseDouble {
  readonly store: Store;
  /** What is the matter with the server as a whole; change it at will. */
  readonly condition: Condition;
  readonly server: FaultyServer;

  constructor({ apiKey = 'typesense-key', store = new Store() }: TypesenseOptions = {}) {
    this.store = store;
    this.condition = goodCondition(apiKey);
    this.server = new FaultyServer({
      handle: (request, body) => this.#handle(request, body),
      routeOf: (method, path) => match(method, path)?.route ?? '',
      documentsOf: (route, body) => {
        if (route === 'import') return linesOf(body).length;
        return route === 'documents.write' || route === 'documents.patch' ? 1 : 0;
      },
      chunked: true,
      keepAliveMs: 60_000,
    });
  }

  get url(): string {
    return this.server.url;
  }

  get apiKey(): string {
    return this.condition.apiKey;
  }

  get faults() {
    return this.server.faults;
  }

  get log() {
    return this.server.log;
  }

  /** The documents of a collection, in order of first writing. */
  documents(collection: string): IndexedDocument[] {
    return this.store.documents(collection);
  }

  /** Takes a collection away while the server runs. */
  drop(collection: string): boolean {
    return this.store.drop(collection);
  }

  /** Not ready for reads and writes, until it is called again with true. */
  setReady(ready: boolean): void {
    this.condition.ready = { read: ready, write: ready };
  }

  /** Dies and comes back on the same port with its documents; not ready at first, if so asked. */
  async restart({ ready = true } = {}): Promise<void> {
    await this.server.refuse();
    this.setReady(ready);
    await this.server.open();
  }

  #handle(request: RecordedRequest, body: string): Answer {
    const matched = match(request.method, request.path);
    const refused = refusedAtGate(this.condition, request, matched?.route);
    if (refused !== undefined || matched === undefined) return refused ?? earlyError(404, 'Not Found');
    const { store, condition } = this;
    return handle(matched.route, { store, condition, names: matched.names, query: request.query, body });
  }
}
