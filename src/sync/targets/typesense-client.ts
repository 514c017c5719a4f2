import { Agent, Pool } from 'undici';
import { COLLECTION_FIELDS } from '../document.ts';
import {
  ACKNOWLEDGED,
  leavesOpen,
  type Operation,
  OutageError,
  retryAfterMs,
  type Target,
  type Verdict,
} from '../target.ts';
import { ApiKey, type ApiKeyOptions } from './api-key.ts';
import { httpPost } from './http-post.ts';

/** How to reach the Typesense Client service. */
export interface TypesenseClientOptions extends Omit<ApiKeyOptions, 'dispatcher'> {
  readonly url: string;
  readonly collection: string;
  /** Calls at a time. */
  readonly concurrency: number;
}

type Hit = Readonly<Record<string, unknown>>;

interface Answer {
  readonly status: number;
  /** Of a refusal, as it came. */
  readonly detail: string;
  /** Of a success. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
/** Documents in an answer to a search: as many as Typesense gives. */
const SEARCH_PAGE = 250;
const MAX_DETAIL_LENGTH = 4_096;
const COLLECTION_MISSING = /Collection not found|No collection with name/i;
/** The service does not have what was asked of it. */
const NO_ROUTE = new Set([404, 405, 501]);
/** How often in a row the end of a resync is refused, while documents are not, until it is given up. */
const MAX_REFUSALS = 5;
/** No document has this id. */
const NO_DOCUMENT = 'none';
const MISSING = /Could not find a document with id/i;
const EXISTS = /already exists/i;

/**
 * The Typesense Client service: one document a call, over kept-alive connections. It answers 500 for everything
 * that goes wrong, so its refusals are of a document only for all we know.
 */
export class TypesenseClientTarget implements Target {
  readonly identity: string;
  readonly batchSize = 1;
  readonly concurrency: number;
  readonly #options: TypesenseClientOptions;
  readonly #pool: Pool;
  /** The path below which the service is. */
  readonly #base: string;
  /** Of the key management service. */
  readonly #keys = new Agent({ connections: 1 });
  readonly #key: ApiKey;
  #refusals = 0;

  constructor(options: TypesenseClientOptions) {
    this.#options = options;
    this.concurrency = options.concurrency;
    const { origin, pathname } = new URL(options.url);
    this.identity = `typesense-client ${origin}/${options.collection}`;
    this.#base = pathname.replace(/\/$/, '');
    this.#pool = new Pool(origin, { connections: options.concurrency, pipelining: 1 });
    this.#key = new ApiKey({ ...options, dispatcher: this.#keys });
  }

  async prepare(signal: AbortSignal): Promise<'empty' | 'filled'> {
    const answer = await this.#post(
      '/collections',
      JSON.stringify({ name: this.#options.collection, fields: COLLECTION_FIELDS }),
      signal,
    );
    // It answers the same for a collection that was there, which is told from a new one by what it holds.
    const held = answer.body['num_documents'];
    if (answer.status < 300) return typeof held === 'number' && held > 0 ? 'filled' : 'empty';
    if (answer.status === 409 || EXISTS.test(answer.detail)) return 'filled';
    throw outage(answer);
  }

  async send(operations: readonly Operation[], signal: AbortSignal): Promise<Verdict[]> {
    const [only, ...others] = operations;
    if (only !== undefined && others.length === 0) return [await this.#sendOne(only, signal)];
    return await Promise.all(operations.map((operation) => this.#sendOne(operation, signal)));
  }

  async #sendOne(operation: Operation, signal: AbortSignal): Promise<Verdict> {
    if (operation.kind === 'delete') {
      const answer = await this.#sync('delete', JSON.stringify({ id: operation.id }), signal);
      return MISSING.test(answer.detail) ? ACKNOWLEDGED : verdictOf(answer);
    }
    const first = operation.isNew ? 'create' : 'update';
    const answer = await this.#sync(first, operation.json, signal);
    const other =
      first === 'create' && EXISTS.test(answer.detail)
        ? 'update'
        : first === 'update' && MISSING.test(answer.detail)
          ? 'create'
          : undefined;
    return verdictOf(other === undefined ? answer : await this.#sync(other, operation.json, signal));
  }

  #sync(operation: string, document: string, signal: AbortSignal): Promise<Answer> {
    const collection = JSON.stringify(this.#options.collection);
    const body = `{"operation":"${operation}","collection_name":${collection},"document":${document}}`;
    return this.#post('/documents/sync', body, signal);
  }

  async count(): Promise<undefined> {
    return undefined;
  }

  /**
   * The service cannot delete by filter: what is left is searched for and deleted one by one, until nothing is found.
   * What the signal cuts off is carried on by the next call. Not every release of the service can search.
   */
  async deleteOlder(
    scope: { scope: string | null; elementType: string | null },
    generation: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      const isDone = await this.#deleteOlder(scope, generation, signal);
      this.#refusals = 0;
      return isDone;
    } catch (error) {
      if (!(error instanceof OutageError) || error.unanswered || error.collectionMissing) throw error;
      // It may be the index that is away. Where a document can be synced meanwhile, it is this that is refused.
      const { kind } = await this.#sendOne({ kind: 'delete', id: NO_DOCUMENT }, signal);
      if (kind === 'refused' || ++this.#refusals < MAX_REFUSALS) throw error;
      this.#refusals = 0;
      return false;
    }
  }

  async #deleteOlder(
    { scope, elementType }: { scope: string | null; elementType: string | null },
    generation: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isFiltered = (hit: Hit) =>
      Number(hit['sync_generation']) < generation &&
      (elementType === null || hit['element_type'] === elementType);
    /** What Typesense has lost the id of is found for ever, and deleted never. */
    const deleted = new Set<unknown>();
    for (let page = 1; ; ) {
      const hits = await this.#search(olderFilter({ scope, elementType }, generation), page, signal);
      // Where the filter has been passed over, all of the index is found.
      if (hits === undefined || !hits.every(isFiltered)) return false;
      if (hits.length === 0) return true;
      // A filter compares words, without case and symbols: of scopes it only narrows the search down.
      const orphans = hits.filter(
        (hit) => (scope === null || hit['scope'] === scope) && !deleted.has(hit['id']),
      );
      for (const { id } of orphans) deleted.add(id);
      for (let first = 0; first < orphans.length; first += this.concurrency) {
        const some = orphans.slice(first, first + this.concurrency);
        const verdicts = await this.send(
          some.map(({ id }): Operation => ({ kind: 'delete', id: String(id) })),
          signal,
        );
        for (const verdict of verdicts)
          if (verdict.kind === 'refused') throw new OutageError(verdict.error, { unanswered: false });
      }
      page = orphans.length === 0 ? page + 1 : 1;
    }
  }

  /** Undefined where the service has no such route. */
  async #search(filter: string, page: number, signal: AbortSignal): Promise<readonly Hit[] | undefined> {
    const parameters = {
      q: '*',
      query_by: 'comment',
      filter_by: filter,
      include_fields: 'id,scope,element_type,sync_generation',
      per_page: SEARCH_PAGE,
      page,
    };
    const answer = await this.#post(
      '/search',
      JSON.stringify({ collection_name: this.#options.collection, parameters }),
      signal,
    );
    const collectionMissing = COLLECTION_MISSING.test(answer.detail);
    if (!collectionMissing && NO_ROUTE.has(answer.status)) return undefined;
    if (answer.status >= 300) throw outage(answer, collectionMissing);
    const { hits } = answer.body;
    if (!Array.isArray(hits))
      throw new OutageError('the answer is not that of a search', { unanswered: false });
    return hits.map((hit: { document?: Hit } | null) => hit?.document ?? {});
  }

  async drop(): Promise<void> {
    throw new Error('the Typesense Client service cannot drop a collection; drop it in Typesense');
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#keys.destroy()]);
  }

  async #post(path: string, body: string, signal: AbortSignal): Promise<Answer> {
    const key = await this.#key.get(signal);
    const answer = await this.#postWith(key, path, body, signal);
    if (answer.status !== 401 && answer.status !== 403) return answer;
    const renewed = await this.#key.renew(key, signal);
    return renewed === key ? answer : await this.#postWith(renewed, path, body, signal);
  }

  #headers(key: string): Record<string, string> {
    return { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  }

  async #postWith(key: string, path: string, body: string, signal: AbortSignal): Promise<Answer> {
    try {
      const post = { path: this.#base + path, headers: this.#headers(key), body };
      const { status, retryAfter, text } = await httpPost(this.#pool, post, MAX_ANSWER_BYTES, signal);
      const wait = retryAfterMs(retryAfter, Date.now());
      if (status < 300) return { status, detail: '', body: jsonObject(text), retryAfterMs: wait };
      return { status, detail: text.slice(0, MAX_DETAIL_LENGTH), body: {}, retryAfterMs: wait };
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
      const message = cause instanceof Error ? cause.message : String(cause);
      // A refused connection has carried nothing; anything else may have been applied.
      throw new OutageError(message, { unanswered: code !== 'ECONNREFUSED', cause });
    }
  }
}

/** What a proxy or a portal says in the place of the service acknowledges nothing, nor does half an answer. */
function jsonObject(text: string): Record<string, unknown> {
  const value = JSON.parse(text) as unknown;
  if (typeof value !== 'object' || value === null) throw new Error('the answer is no JSON object');
  return value as Record<string, unknown>;
}

function verdictOf(answer: Answer): Verdict {
  if (answer.status < 300) return ACKNOWLEDGED;
  if (COLLECTION_MISSING.test(answer.detail)) throw outage(answer);
  if (answer.status === 500 && answer.detail !== '')
    return { kind: 'refused', error: `500 ${answer.detail}`.slice(0, 500), blame: 'unclear' };
  if (answer.status === 409 || answer.status === 413 || answer.status === 400)
    return { kind: 'refused', error: `${answer.status} ${answer.detail}`.slice(0, 500), blame: 'document' };
  throw outage(answer);
}

function olderFilter(
  { scope, elementType }: { scope: string | null; elementType: string | null },
  generation: number,
): string {
  const filters = [`sync_generation:<${generation}`];
  if (elementType !== null) filters.push(`element_type:=\`${elementType}\``);
  if (scope !== null) filters.push(`scope:=\`${scope}\``);
  return filters.join(' && ');
}

function outage(
  answer: Answer,
  collectionMissing = answer.status === 404 || COLLECTION_MISSING.test(answer.detail),
): OutageError {
  return new OutageError(`it answered ${answer.status} ${answer.detail}`.slice(0, 500), {
    unanswered: leavesOpen(answer.status),
    collectionMissing,
    retryAfterMs: answer.retryAfterMs,
  });
}
