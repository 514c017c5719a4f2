import { error, json, plainJson, text, writtenError } from './answer.ts';
import type { Collection } from './collection.ts';
import { Refusal, refusalOf } from './errors.ts';
import type { Answer } from './faulty-server.ts';
import { type Filter, parseFilter } from './filter.ts';
import type { Condition } from './gate.ts';
import { actionOf, checkImport, dirtyValuesOf, importLines } from './import.ts';
import { parseDocument, parseJson, stringify } from './json.ts';
import type { Matched, Route } from './routes.ts';
import { readObject, readSchema } from './schema.ts';
import { search } from './search.ts';
import { type Store, summaryOf } from './store.ts';

/** What a handler works with. */
export interface Call {
  readonly store: Store;
  readonly condition: Condition;
  readonly names: Matched['names'];
  readonly query: URLSearchParams;
  readonly body: string;
}

type Handler = (call: Call) => Answer;

/** Errors of these are escaped JSON. */
const ESCAPED: readonly Route[] = ['documents.write', 'search'];

/** Does what a request asks for. */
export function handle(route: Route, call: Call): Answer {
  const answer = refusalOf(() => HANDLERS[route](call));
  if (!(answer instanceof Refusal)) return answer;
  return ESCAPED.includes(route) ? writtenError(answer) : error(answer.status, answer.message);
}

const HANDLERS: Readonly<Record<Route, Handler>> = {
  health: ({ condition }) => {
    const ok = condition.ready.read;
    return json(ok ? 200 : 503, { ok, ...(ok && condition.outOf && { resource_error: condition.outOf }) });
  },
  debug: ({ condition }) => json(200, { state: condition.leader === 'here' ? 1 : 4, version: '29.0' }),
  status: ({ condition }) =>
    json(200, {
      committed_index: 1,
      queued_writes: 0,
      state: condition.leader === 'here' ? 'LEADER' : 'FOLLOWER',
    }),
  config: ({ body }) => {
    const lag = readObject(body)['healthy-write-lag'];
    if (lag !== undefined && !(Number.isInteger(lag) && (lag as number) > 0))
      throw new Refusal(400, 'Configuration `healthy-write-lag` must be a positive integer.');
    return json(201, { success: true });
  },
  'multi-search': multiSearch,

  'collections.create': ({ store, body }) => json(201, summaryOf(store.create(readSchema(body)))),
  'collections.list': listCollections,
  'collections.get': (call) => json(200, summaryOf(collectionOf(call))),
  'collections.patch': ({ store, names, body }) => json(200, store.change(names['collection']!, body)),
  'collections.drop': ({ store, names }) => json(200, summaryOf(store.remove(names['collection']!))),

  'aliases.list': ({ store }) => json(200, { aliases: store.aliases() }),
  'aliases.put': ({ store, names, body }) => {
    const target = readObject(body)['collection_name'];
    if (typeof target !== 'string') throw new Refusal(400, 'Parameter `collection_name` is required.');
    store.setAlias(names['alias']!, target);
    return aliasAnswer(names['alias']!, target);
  },
  'aliases.get': ({ store, names }) => aliasAnswer(names['alias']!, store.alias(names['alias']!)),
  'aliases.delete': ({ store, names }) => aliasAnswer(names['alias']!, store.removeAlias(names['alias']!)),

  import: (call) => {
    checkImport(call.query);
    return importLines(collectionOf(call), call.query, call.body);
  },
  export: (call) => {
    const passes = filterOf(call) ?? (() => true);
    const documents = [...collectionOf(call).all()].filter(passes);
    return text(documents.map((document) => stringify(document)).join('\n'));
  },
  search: (call) => json(200, search(collectionOf(call), call.query)),

  'documents.write': (call) => {
    const action = actionOf(call.query);
    const collection = collectionOf(call);
    const { document, fractions } = parseDocument(call.body);
    return json(201, collection.write(action, document, fractions, dirtyValuesOf(call.query, collection)));
  },
  'documents.patch-where': patchWhere,
  'documents.delete-where': deleteWhere,
  'documents.get': (call) => json(200, existing(collectionOf(call), call.names['id']!)),
  'documents.patch': (call) => {
    const id = call.names['id']!;
    const collection = collectionOf(call);
    const { document, fractions } = parseDocument(call.body);
    if (document['id'] !== undefined && document['id'] !== id)
      throw new Refusal(400, 'The `id` of the resource does not match the `id` in the JSON body.');
    existing(collection, id);
    const dirty = dirtyValuesOf(call.query, collection);
    return json(200, collection.write('update', { ...document, id }, fractions, dirty));
  },
  'documents.delete': (call) => {
    const id = call.names['id']!;
    const collection = collectionOf(call);
    if (call.query.get('ignore_not_found') === 'true' && collection.find(id) === undefined)
      return json(200, { id });
    const document = existing(collection, id);
    collection.remove(id);
    return json(200, document);
  },
};

function collectionOf({ store, names }: Call): Collection {
  return store.get(names['collection']!);
}

function existing(collection: Collection, id: string) {
  const document = collection.find(id);
  if (document === undefined) throw new Refusal(404, `Could not find a document with id: ${id}`);
  return document;
}

function filterOf(call: Call): Filter | undefined {
  const text = call.query.get('filter_by') ?? '';
  return text === '' ? undefined : parseFilter(text, collectionOf(call).schema);
}

function aliasAnswer(name: string, target: string): Answer {
  return json(200, { collection_name: target, name });
}

function listCollections({ store, query }: Call): Answer {
  const offset = query.get('offset');
  const limit = query.get('limit');
  for (const [name, number] of Object.entries({ Limit: limit, Offset: offset }))
    if (number !== null && !/^\d+$/.test(number))
      throw new Refusal(400, `${name} param should be unsigned integer.`);
  const from = Number(offset ?? 0);
  const page = store.list().slice(from, limit === null ? undefined : from + Number(limit));
  const withoutFields = query.get('exclude_fields')?.split(',').includes('fields');
  return json(
    200,
    page.map(summaryOf).map(({ fields, ...rest }) => (withoutFields ? rest : { fields, ...rest })),
  );
}

function patchWhere(call: Call): Answer {
  const collection = collectionOf(call);
  const passes = filterOf(call);
  if (passes === undefined) throw new Refusal(400, 'Parameter `filter_by` must be provided.');
  const { document, fractions } = parseDocument(call.body);
  const dirty = dirtyValuesOf(call.query, collection);
  const matching = [...collection.all()].filter(passes);
  for (const { id } of matching) collection.write('update', { ...document, id }, fractions, dirty);
  return json(200, { num_updated: matching.length });
}

function deleteWhere(call: Call): Answer {
  const collection = collectionOf(call);
  const passes = filterOf(call) ?? (call.query.get('truncate') === 'true' ? () => true : undefined);
  if (passes === undefined) throw new Refusal(400, 'Parameter `filter_by` must be provided.');
  const ids = collection.removeWhere(passes);
  return plainJson(200, { num_deleted: ids.length, ...(call.query.get('return_id') === 'true' && { ids }) });
}

function multiSearch({ store, query, body }: Call): Answer {
  const { value } = parseJson(body);
  const searches = (value as { searches?: Record<string, unknown>[] }).searches ?? [];
  const results = searches.map((one) => {
    const parameters = new URLSearchParams(query);
    for (const [name, part] of Object.entries(one)) parameters.set(name, String(part));
    const result = refusalOf(() => search(store.get(String(one['collection'])), parameters));
    return result instanceof Refusal ? { code: result.status, error: result.message } : result;
  });
  return json(200, { results });
}
