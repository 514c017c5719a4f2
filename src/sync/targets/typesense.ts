import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Client, Errors } from 'typesense';
import { COLLECTION_FIELDS } from '../document.ts';
import {
  ACKNOWLEDGED,
  leavesOpen,
  type Operation,
  OutageError,
  type Target,
  type Verdict,
} from '../target.ts';

/** How to reach Typesense. */
export interface TypesenseOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly collection: string;
}

const MIN_BATCH = 16;
const MAX_BATCH = 2_048;
const MAX_IMPORT_BYTES = 4 * 1024 * 1024;
/** Verdicts on one document; every other code of a line is the server's own trouble. */
const DOCUMENT_CODES = new Set([400, 409, 413]);
/** Characters of a filter in a DELETE's query, well below what servers and proxies take. */
const MAX_FILTER_LENGTH = 3_000;

/**
 * Typesense itself, through its official client. The client would try again by itself, also what is not
 * idempotent, and never gives an import up: it gets no retries and an agent of ours, whose sockets are destroyed
 * when a call's time is over.
 */
export class TypesenseTarget implements Target {
  readonly identity: string;
  readonly concurrency = 1;
  readonly #options: TypesenseOptions;
  #batchSize = 256;
  /** Imports and deletes have one of their own: a look at the collection that is given up does not break them off. */
  readonly #connections: { send?: Connection | undefined; look?: Connection | undefined } = {};

  constructor(options: TypesenseOptions) {
    this.#options = options;
    this.identity = `typesense ${new URL(options.url).origin}/${options.collection}`;
  }

  get batchSize(): number {
    return this.#batchSize;
  }

  async prepare(signal: AbortSignal, beforeMaking?: () => Promise<void>): Promise<'empty' | 'filled'> {
    const { collection } = this.#options;
    return await this.#call(signal, async (client) => {
      try {
        const { fields, num_documents } = await client.collections(collection).retrieve();
        if (!Array.isArray(fields) || typeof num_documents !== 'number') throw notAnAnswer('a collection');
        const wrong = COLLECTION_FIELDS.filter(
          ({ name, type }) => !fields.some((field) => field.name === name && field.type === type),
        );
        if (wrong.length > 0)
          throw new Error(
            `the collection ${collection} has another schema (${wrong.map(({ name }) => name).join(', ')}); run "cli resync --recreate"`,
          );
        return num_documents === 0 ? 'empty' : 'filled';
      } catch (error) {
        if (!(error instanceof Errors.ObjectNotFound)) throw error;
      }
      await beforeMaking?.();
      const { name } = await client
        .collections()
        .create({ name: collection, fields: [...COLLECTION_FIELDS] });
      if (name !== collection) throw notAnAnswer('a collection');
      return 'empty';
    });
  }

  async send(operations: readonly Operation[], signal: AbortSignal): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    const puts: number[] = [];
    const deletes: number[] = [];
    for (const [index, operation] of operations.entries())
      (operation.kind === 'put' ? puts : deletes).push(index);
    try {
      await this.#import(operations, puts, verdicts, signal);
      await this.#delete(operations, deletes, verdicts, signal, 'send');
    } catch (error) {
      this.#batchSize = Math.max(MIN_BATCH, Math.floor(this.#batchSize / 2));
      throw error;
    }
    if (operations.length >= this.#batchSize) this.#batchSize = Math.min(MAX_BATCH, this.#batchSize * 2);
    return verdicts;
  }

  async #import(
    operations: readonly Operation[],
    indexes: readonly number[],
    verdicts: Verdict[],
    signal: AbortSignal,
  ): Promise<void> {
    const lines = indexes.map((index) => {
      const operation = operations[index]!;
      return operation.kind === 'put' ? operation.json : '';
    });
    for (let first = 0; first < lines.length; ) {
      let bytes = 0;
      let end = first;
      while (end < lines.length && (end === first || bytes + lines[end]!.length * 3 <= MAX_IMPORT_BYTES))
        bytes += Buffer.byteLength(lines[end++]!) + 1;
      const body = lines.slice(first, end).join('\n');
      const answer = await this.#call(
        signal,
        (client) =>
          client.collections(this.#options.collection).documents().import(body, { action: 'upsert' }),
        'send',
      );
      const results = parseResults(answer, end - first);
      for (const [offset, result] of results.entries())
        verdicts[indexes[first + offset]!] = verdictOf(result);
      first = end;
    }
  }

  async #delete(
    operations: readonly Operation[],
    indexes: readonly number[],
    verdicts: Verdict[],
    signal: AbortSignal,
    use: 'send' | 'look',
  ): Promise<void> {
    for (let first = 0; first < indexes.length; ) {
      const ids: string[] = [];
      let length = 0;
      const from = first;
      while (first < indexes.length && (ids.length === 0 || length < MAX_FILTER_LENGTH)) {
        const { id } = operations[indexes[first++]!]!;
        ids.push(`\`${id}\``);
        length += id.length + 3;
      }
      await this.#deleteWhere(`id:=[${ids.join(',')}]`, signal, use);
      for (const index of indexes.slice(from, first)) verdicts[index] = ACKNOWLEDGED;
    }
  }

  async count(signal: AbortSignal): Promise<number> {
    const { num_documents } = await this.#call(signal, (client) =>
      client.collections(this.#options.collection).retrieve(),
    );
    return num_documents;
  }

  async deleteOlder(
    { scope, elementType }: { scope: string | null; elementType: string | null },
    generation: number,
    signal: AbortSignal,
  ): Promise<true> {
    const filters = [`sync_generation:<${generation}`];
    if (elementType !== null) filters.push(`element_type:=\`${elementType}\``);
    if (scope === null) {
      await this.#deleteWhere(filters.join(' && '), signal, 'look');
      return true;
    }
    // A filter compares words, without case and symbols: it finds the scopes `a-b`, `A.B` and `ab` alike. It only
    // narrows the search down; what goes is what bears this very scope.
    filters.push(`scope:=\`${scope}\``);
    const lines = await this.#call(signal, (client) =>
      client
        .collections(this.#options.collection)
        .documents()
        .export({ filter_by: filters.join(' && '), include_fields: 'id,scope' }),
    );
    const ids = String(lines)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { id: string; scope: string })
      .filter((document) => document.scope === scope);
    const operations = ids.map(({ id }): Operation => ({ kind: 'delete', id }));
    await this.#delete(operations, [...operations.keys()], [], signal, 'look');
    return true;
  }

  async #deleteWhere(filter: string, signal: AbortSignal, use: 'send' | 'look'): Promise<void> {
    const answer: { num_deleted?: unknown } = await this.#call(
      signal,
      (client) => client.collections(this.#options.collection).documents().delete({ filter_by: filter }),
      use,
    );
    if (typeof answer?.num_deleted !== 'number') throw notAnAnswer('a deletion');
  }

  async drop(signal: AbortSignal): Promise<void> {
    await this.#call(signal, async (client) => {
      await client
        .collections(this.#options.collection)
        .delete()
        .catch((error: unknown) => {
          if (!(error instanceof Errors.ObjectNotFound)) throw error;
        });
    });
  }

  async close(): Promise<void> {
    this.#connections.send?.agent.destroy();
    this.#connections.look?.agent.destroy();
  }

  /** Runs a call of the client, bounded by the signal; throws OutageError for all that is no verdict. */
  async #call<T>(
    signal: AbortSignal,
    action: (client: Client) => Promise<T>,
    use: 'send' | 'look' = 'look',
  ): Promise<T> {
    if (signal.aborted) throw new OutageError('no time is left for the call', { unanswered: false });
    this.#connections[use] ??= connect(this.#options);
    const connection = this.#connections[use];
    const abort = () => {
      connection.agent.destroy();
      this.#connections[use] = undefined;
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await action(connection.client);
    } catch (error) {
      throw outageOf(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

interface Connection {
  readonly client: Client;
  readonly agent: HttpAgent | HttpsAgent;
}

function connect({ url, apiKey }: TypesenseOptions): Connection {
  const { protocol, hostname, port, pathname } = new URL(url);
  const secure = protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const client = new Client({
    nodes: [
      {
        host: hostname,
        port: Number(port || (secure ? 443 : 80)),
        protocol: protocol.slice(0, -1),
        path: pathname === '/' ? '' : pathname,
      },
    ],
    apiKey,
    numRetries: 0,
    // The signal bounds every call; this bound of the client's own would come with no signal's certainty.
    connectionTimeoutSeconds: 3_600,
    logLevel: 'silent',
    ...(secure ? { httpsAgent: agent as HttpsAgent } : { httpAgent: agent }),
  });
  return { client, agent };
}

interface ImportResult {
  success: boolean;
  code?: number;
  error?: string;
}

/** As Typesense says it of nearly every document. */
const SUCCESS_LINE = '{"success":true}';
const SUCCESS: ImportResult = { success: true };

/** An answer with fewer lines than documents, or that is no import's answer at all, tells nothing of any of them. */
function parseResults(answer: unknown, expected: number): ImportResult[] {
  try {
    const results = String(answer)
      .split('\n')
      .map((line) => (line === SUCCESS_LINE ? SUCCESS : (JSON.parse(line) as ImportResult)));
    if (results.length === expected && results.every((result) => typeof result?.success === 'boolean'))
      return results;
  } catch {
    // Told below, the same as a wrong count.
  }
  throw new OutageError('the answer to an import has not one result a document', { unanswered: true });
}

function verdictOf(result: ImportResult): Verdict {
  if (result.success) return ACKNOWLEDGED;
  const blame = DOCUMENT_CODES.has(result.code ?? 0) ? 'document' : 'index';
  return { kind: 'refused', error: `${result.code} ${result.error}`.slice(0, 500), blame };
}

/** What a proxy or a portal says in the place of Typesense tells nothing. */
function notAnAnswer(of: string): OutageError {
  return new OutageError(`the answer is not that of ${of}`, { unanswered: true });
}

function outageOf(error: unknown): Error {
  if (error instanceof OutageError) return error;
  // What this file throws by itself, as of a collection with another schema.
  if (error instanceof Error && error.constructor === Error) return error;
  const status = error instanceof Errors.TypesenseError ? error.httpStatus : undefined;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // The client's errors carry the request's body; what is told on is the message alone.
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 500);
  return new OutageError(message, {
    // A refused connection has carried nothing; anything else without a status may have been applied.
    unanswered: status === undefined ? code !== 'ECONNREFUSED' : leavesOpen(status),
    collectionMissing: status === 404 && message.includes('Collection not found'),
  });
}
