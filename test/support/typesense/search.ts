import type { Collection } from './collection.ts';
import { Refusal } from './errors.ts';
import { parseFilter } from './filter.ts';
import type { IndexedDocument } from './json.ts';
import type { Schema } from './schema.ts';
import { tokensOf } from './tokens.ts';

const DEFAULT_PER_PAGE = 10;
const MAX_PER_PAGE = 250;

/**
 * A small search: every word of `q` begins a word of a `query_by` field; `*` finds all. No typos, no ranking: hits
 * come newest first, as Typesense orders what ties.
 */
export function search(collection: Collection, query: URLSearchParams): Record<string, unknown> {
  const { schema } = collection;
  const q = query.get('q') ?? '*';
  const fields = (query.get('query_by') ?? '').split(',').filter((name) => name !== '');
  for (const name of fields)
    if (!schema.fields.some((field) => field.name === name))
      throw new Refusal(404, `Could not find a field named \`${name}\` in the schema.`);
  if (q !== '*' && fields.length === 0) throw new Refusal(400, 'No search fields specified for the query.');
  const perPage = Number(query.get('per_page') ?? DEFAULT_PER_PAGE);
  if (perPage > MAX_PER_PAGE)
    throw new Refusal(422, `Only upto ${MAX_PER_PAGE} hits can be fetched per page.`);
  const page = Number(query.get('page') ?? 1);
  const filterBy = query.get('filter_by') ?? '';
  const passes = filterBy === '' ? () => true : parseFilter(filterBy, schema);
  const words = q === '*' ? [] : tokensOf(q, schema);
  const found = [...collection.all()].filter((document) => {
    return passes(document) && hasWords(document, fields, words, schema);
  });
  const hits = found.reverse().slice((page - 1) * perPage, page * perPage);
  return {
    facet_counts: [],
    found: found.length,
    hits: hits.map((document) => ({ document, highlight: {}, highlights: [] })),
    out_of: collection.size,
    page,
    request_params: { collection_name: schema.name, first_q: q, per_page: perPage, q },
    search_cutoff: false,
    search_time_ms: 0,
  };
}

function hasWords(
  document: IndexedDocument,
  fields: readonly string[],
  words: readonly string[],
  schema: Schema,
): boolean {
  if (words.length === 0) return true;
  const tokens = fields.flatMap((name) => tokensOf(String(document[name] ?? ''), schema));
  return words.every((word) => tokens.some((token) => token.startsWith(word)));
}
