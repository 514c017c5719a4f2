import { type Answer, FaultyServer } from '../typesense/faulty-server.ts';
import type { RecordedRequest } from '../typesense/request-log.ts';
import { answer, detail, refusedBearer } from '../typesense-client/fastapi.ts';

export interface KeyServiceOptions {
  readonly adminToken?: string;
  /** Keys by service name. */
  readonly keys?: Readonly<Record<string, string>>;
  /** How a missing or wrong admin token is refused. */
  readonly refusal?: 401 | 403;
}

const KEY_PATH = /^\/keys\/([^/]+)$/;
const KEEP_ALIVE_MS = 5_000; // uvicorn's

/** The key management service: `GET /keys/{service}` for whoever has the admin token. */
export class KeyServiceDouble {
  readonly server: FaultyServer;
  adminToken: string;
  readonly #keys: Map<string, string>;
  #rotations = 0;

  constructor({ adminToken = 'admin-token', keys = {}, refusal = 401 }: KeyServiceOptions = {}) {
    this.adminToken = adminToken;
    this.#keys = new Map(Object.entries(keys));
    this.server = new FaultyServer({
      handle: (request) => this.#handle(request, refusal),
      routeOf: (method, path) => (method === 'GET' && KEY_PATH.test(path) ? 'key' : ''),
      documentsOf: () => 0,
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

  /** How many times a key was asked for. */
  get fetches(): number {
    return this.log.to('key').length;
  }

  key(service: string): string | undefined {
    return this.#keys.get(service);
  }

  /** Gives a service another key, and says which. */
  rotate(service: string, key = `${service}-key-${++this.#rotations}`): string {
    this.#keys.set(service, key);
    return key;
  }

  #handle({ route, path, headers }: RecordedRequest, refusal: 401 | 403): Answer {
    if (route === '') return detail(404, 'Not Found');
    const refused = refusedBearer(headers['authorization'], (token) => token === this.adminToken, refusal);
    if (refused) return refused;
    const service = decodeURIComponent(KEY_PATH.exec(path)![1]!);
    const key = this.#keys.get(service);
    if (key === undefined) return detail(404, 'API key not found');
    return answer(200, { service_name: service, api_key: key });
  }
}
