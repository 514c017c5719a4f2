import { text } from './answer.ts';
import { ACTIONS, type Action, type Collection } from './collection.ts';
import { Refusal, refusalOf } from './errors.ts';
import type { Answer } from './faulty-server.ts';
import { DIRTY_VALUES, type DirtyValues } from './field-types.ts';
import { type IndexedDocument, parseDocument, stringify } from './json.ts';
import { isPattern } from './schema.ts';

/** `action`, as every write reads it. */
export function actionOf(query: URLSearchParams): Action {
  const action = query.get('action') ?? 'create';
  if (!(ACTIONS as readonly string[]).includes(action))
    throw new Refusal(400, 'Parameter `action` must be a create|update|upsert.');
  return action as Action;
}

/** `dirty_values`; its default depends on whether the schema has patterns. */
export function dirtyValuesOf(query: URLSearchParams, { schema }: Collection): DirtyValues {
  const asked = (query.get('dirty_values') ?? '').toLowerCase() as DirtyValues;
  if (DIRTY_VALUES.includes(asked)) return asked;
  return schema.fields.some(({ name }) => isPattern(name)) ? 'coerce_or_reject' : 'reject';
}

/** What can be wrong with an import as a whole, apart from the collection. */
export function checkImport(query: URLSearchParams): void {
  const batchSize = query.get('batch_size');
  if (batchSize !== null && !(/^\d+$/.test(batchSize) && Number(batchSize) > 0))
    throw new Refusal(400, 'Parameter `batch_size` must be a positive integer.');
  actionOf(query);
  for (const name of ['return_id', 'return_doc'])
    if (!['true', 'false', null].includes(query.get(name)))
      throw new Refusal(400, `Parameter \`${name}\` must be a true|false.`);
}

/** The lines of an import that are documents; empty ones are none, and get no result. */
export function linesOf(body: string): string[] {
  return body.split('\n').filter((line) => line !== '');
}

/** Writes each line; answers 200 with a result for each, in order. */
export function importLines(collection: Collection, query: URLSearchParams, body: string): Answer {
  const action = actionOf(query);
  const dirty = dirtyValuesOf(query, collection);
  const returns = { id: query.get('return_id') === 'true', doc: query.get('return_doc') === 'true' };
  // Typesense's own variable, which a line that is no JSON leaves as it was.
  let lastId: unknown;
  const results = linesOf(body).map((line) => {
    const parsed = refusalOf(() => parseDocument(line));
    if (parsed instanceof Refusal) return failed(parsed, line, lastId, returns);
    const { document, fractions } = parsed;
    lastId = document['id'] ?? lastId;
    const written = refusalOf(() => collection.write(action, document, fractions, dirty));
    if (written instanceof Refusal) return failed(written, line, lastId, returns);
    lastId = written['id'];
    return succeeded(written, returns);
  });
  return text(results.join('\n'));
}

interface Returns {
  readonly id: boolean;
  readonly doc: boolean;
}

function succeeded(document: IndexedDocument, returns: Returns): string {
  if (!returns.id && !returns.doc) return '{"success":true}';
  return stringify({
    ...(returns.doc && { document }),
    ...(returns.id && { id: document['id'] }),
    success: true,
  });
}

function failed({ status, message }: Refusal, line: string, id: unknown, returns: Returns): string {
  return stringify({
    code: status,
    ...(returns.doc && { document: line.replace(/\r$/, '') }),
    error: message,
    ...(returns.id && id !== undefined && { id }),
    success: false,
  });
}
