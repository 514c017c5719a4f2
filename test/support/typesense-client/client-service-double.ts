import { type Answer, FaultyServer } from '../typesense/faulty-server.ts';
import type { IndexedDocument } from '../typesense/json.ts';
import type { RecordedRequest } from '../typesense/request-log.ts';
import { Store } from '../typesense/store.ts';
import { answer, detail, refusedBearer } from './fastapi.ts';
import {
  createCollection,
  getCollection,
  ORIGINAL_RULES,
  type RelayRules,
  searchDocuments,
  syncDocument,
} from './relay.ts';

export interface ClientServiceOptions {
  readonly apiKey?: string;
  /** The index behind the service; a new one when left out. */
  readonly store?: Store;
  readonly rules?: Partial<RelayRules>;
  /** How a missing or wrong key is refused. */
  readonly refusal?: 401 | 403;
}

const PATHS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/health': { GET: 'health' },
  '/collections': { POST: 'collections.create' },
  '/documents/sync': { POST: 'sync' },
  '/search': { POST: 'search' },
};
const COLLECTION_PATH = /^\/collections\/([^/]+)$/;
const KEEP_ALIVE_MS = 5_000; // uvicorn's

/**
 * The Typesense Client service: a FastAPI relay that answers 500 with a `detail` for whatever goes wrong behind it.
 * The key is looked at first, then the body.
 */
export class ClientServiceDouble {
  readonly store: Store;
  readonly rules: RelayRules;
  readonly server: FaultyServer;
  /** The keys that are good now. */
  readonly apiKeys: Set<string>;
  refusal: 401 | 403;

  constructor({
    apiKey = 'client-key',
    store = new Store(),
    rules,
    refusal = 401,
  }: ClientServiceOptions = {}) {
    this.store = store;
    this.rules = { ...ORIGINAL_RULES, ...rules };
    this.refusal = refusal;
    this.apiKeys = new Set([apiKey]);
    this.server = new FaultyServer({
      handle: (request, body) => this.#handle(request, body),
      routeOf,
      documentsOf: (route) => (route === 'sync' ? 1 : 0),
      chunked: false,
      keepAliveMs: KEEP_ALIVE_MS,
    });
  }

  get url(): string {
    return this.server.url;
  }

  get faults() {
    return this.server.faults;
  }

  get log() {
    return this.server.log;
  }

  documents(collection: string): IndexedDocument[] {
    return this.store.documents(collection);
  }

  drop(collection: string): boolean {
    return this.store.drop(collection);
  }

  /** From now on this key is the only good one. */
  rotateKey(apiKey: string): void {
    this.apiKeys.clear();
    this.apiKeys.add(apiKey);
  }

  /** Dies and comes back on the same port with its documents. */
  async restart(): Promise<void> {
    await this.server.refuse();
    await this.server.open();
  }

  #handle({ route, path, method, headers }: RecordedRequest, body: string): Answer {
    const { store, rules } = this;
    if (route === '') return noRoute(method, path);
    if (route === 'health') return answer(200, { status: 'healthy' });
    const refused = refusedBearer(headers['authorization'], (key) => this.apiKeys.has(key), this.refusal);
    if (refused) return refused;
    if (route === 'sync') return syncDocument(store, rules, body);
    if (route === 'search') return searchDocuments(store, body);
    if (route === 'collections.create') return createCollection(store, rules, body);
    return getCollection(store, decodeURIComponent(COLLECTION_PATH.exec(path)![1]!));
  }
}

function routeOf(method: string, path: string): string {
  const known = COLLECTION_PATH.test(path) ? { GET: 'collections.get' } : PATHS[path];
  return (known as Record<string, string> | undefined)?.[method] ?? '';
}

function noRoute(method: string, path: string): Answer {
  const allowed = ['GET', 'POST'].filter((other) => other !== method && routeOf(other, path) !== '');
  if (allowed.length === 0) return detail(404, 'Not Found');
  return detail(405, 'Method Not Allowed', { allow: allowed.join(', ') });
}
