import { Refusal, refusalOf } from '../typesense/errors.ts';
import type { Answer } from '../typesense/faulty-server.ts';
import { parseDocument } from '../typesense/json.ts';
import { readSchema } from '../typesense/schema.ts';
import { search } from '../typesense/search.ts';
import { type Store, summaryOf } from '../typesense/store.ts';
import { answer, detail, type Model, readModel } from './fastapi.ts';

/** Where the service may be built in more than one way. */
export interface RelayRules {
  /** `create` of an id that is there: replaced, as the original does, or an error. */
  create: 'upsert' | 'fail';
  /** `update` of an id that is not there: written, as the original does, or an error. */
  update: 'upsert' | 'fail';
  /** `POST /collections` of one that is there: answered with what is there, as the original does, or an error. */
  existingCollection: 'retrieve' | 'fail';
}

export const ORIGINAL_RULES: Readonly<RelayRules> = {
  create: 'upsert',
  update: 'upsert',
  existingCollection: 'retrieve',
};

const COLLECTION: Model = { name: 'str', fields: 'list' };
const SYNC: Model = { operation: 'str', collection_name: 'str', document: 'dict' };
const SEARCH: Model = { collection_name: 'str', parameters: 'dict' };
/** The properties of a field that the service's model knows; all others are lost on the way. */
const FIELD = ['name', 'type', 'facet', 'optional', 'index'];

/** `POST /collections` */
export function createCollection(store: Store, rules: RelayRules, body: string): Answer {
  const read = readModel(body, COLLECTION);
  if ('refused' in read) return read.refused;
  const { name, fields, default_sorting_field } = read.value;
  const known = (fields as Record<string, unknown>[]).map((field) =>
    Object.fromEntries(FIELD.filter((key) => key in field).map((key) => [key, field[key]])),
  );
  return relayed(() => {
    const schema = readSchema(JSON.stringify({ name, fields: known, default_sorting_field }));
    const there = rules.existingCollection === 'retrieve' && store.has(schema.name);
    return collectionAnswer(store, (there ? store.get(schema.name) : store.create(schema)).schema.name);
  });
}

/** `GET /collections/{name}` */
export function getCollection(store: Store, name: string): Answer {
  const found = refusalOf(() => collectionAnswer(store, name));
  return found instanceof Refusal ? detail(404, pythonText(found)) : found;
}

/** `POST /documents/sync` */
export function syncDocument(store: Store, rules: RelayRules, body: string): Answer {
  const read = readModel(body, SYNC);
  if ('refused' in read) return read.refused;
  const { collection_name, document } = read.value as { collection_name: string; document: { id?: unknown } };
  const operation = String(read.value['operation']).toLowerCase();
  if (operation !== 'create' && operation !== 'update' && operation !== 'delete')
    return failed('400: Invalid operation type.');
  if (operation === 'delete') {
    if (!document.id) return failed("400: Missing 'id' in document for deletion.");
    return relayed(() => {
      const id = String(document.id);
      if (store.get(collection_name).remove(id) === undefined)
        throw new Refusal(404, `Could not find a document with id: ${id}`);
      return answer(200, { message: 'Document deleted successfully.' });
    });
  }
  if (!('id' in document)) return failed("400: Missing 'id' in document for upsert.");
  return relayed(() => {
    const action = rules[operation] === 'upsert' ? 'upsert' : operation;
    const { document: parsed, fractions } = parseDocument(JSON.stringify(document));
    store.get(collection_name).write(action, parsed, fractions, 'reject');
    return answer(200, { message: 'Document upserted successfully.' });
  });
}

/** `POST /search` */
export function searchDocuments(store: Store, body: string): Answer {
  const read = readModel(body, SEARCH);
  if ('refused' in read) return read.refused;
  const { collection_name, parameters } = read.value as { collection_name: string; parameters: object };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
  return relayed(() => {
    const { hits, found } = search(store.get(collection_name), query) as {
      hits: { document: unknown }[];
      found: number;
    };
    return answer(200, { hits: hits.map(({ document }) => ({ document })), found });
  });
}

function collectionAnswer(store: Store, name: string): Answer {
  const { num_documents, fields } = summaryOf(store.get(name));
  return answer(200, { name: store.get(name).schema.name, num_documents, fields });
}

/** Whatever Typesense refuses is a 500 here. */
function relayed(act: () => Answer): Answer {
  const done = refusalOf(act);
  return done instanceof Refusal ? failed(pythonText(done)) : done;
}

function failed(text: string): Answer {
  return detail(500, text);
}

/** `str()` of the Python client's exception. */
function pythonText({ status, message }: Refusal): string {
  return `[Errno ${status}] ${message}`;
}
