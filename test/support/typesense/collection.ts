import { Refusal } from './errors.ts';
import { checkFields, type DirtyValues } from './field-types.ts';
import type { IndexedDocument } from './json.ts';
import type { Schema } from './schema.ts';

/** What a write does with a document that is there, or is not. */
export const ACTIONS = ['create', 'upsert', 'update', 'emplace'] as const;
export type Action = (typeof ACTIONS)[number];

/** A document that the double is told to refuse, with the status and text of the refusal. */
export type Refuse = (collection: string, document: IndexedDocument) => Refusal | undefined;

/**
 * One collection and its documents. As in Typesense each document has a place of its own (a sequence number inside
 * the index), and an id leads to one place: two documents can bear one id, and then only the newer is reached by it.
 */
export class Collection {
  readonly schema: Schema;
  readonly createdAt: number;
  readonly #refuse: Refuse;
  readonly #byPlace = new Map<number, IndexedDocument>();
  readonly #placeOf = new Map<string, number>();
  #nextPlace = 0;

  constructor(schema: Schema, createdAt: number, refuse: Refuse) {
    this.schema = schema;
    this.createdAt = createdAt;
    this.#refuse = refuse;
  }

  get size(): number {
    return this.#byPlace.size;
  }

  /** Every document, in the order in which each was first written. */
  all(): IterableIterator<IndexedDocument> {
    return this.#byPlace.values();
  }

  /** The document that an id leads to. */
  find(id: string): IndexedDocument | undefined {
    const place = this.#placeOf.get(id);
    return place === undefined ? undefined : this.#byPlace.get(place);
  }

  /** Writes one document, which the collection keeps: its caller must not change it. */
  write(
    action: Action,
    document: IndexedDocument,
    fractions: ReadonlySet<string>,
    dirty: DirtyValues,
  ): IndexedDocument {
    // Not compared with the ids that are there: a mixture of given and generated ids yields doubles.
    const generated = document['id'] === undefined;
    const id = this.#idOf(action, document);
    const refusal = this.#refuse(this.schema.name, document);
    if (refusal) throw refusal;
    const existing = generated ? undefined : this.find(id);
    if (existing !== undefined && action === 'create')
      throw new Refusal(409, `A document with id ${id} already exists.`);
    if (existing === undefined && action === 'update')
      throw new Refusal(404, `Could not find a document with id: ${id}`);
    const merges = existing !== undefined && (action === 'update' || action === 'emplace');
    checkFields(this.schema, document, fractions, !merges, dirty);
    return this.#put(id, merges ? merged(existing, document) : document, generated);
  }

  /** Removes the document that an id leads to. */
  remove(id: string): IndexedDocument | undefined {
    const place = this.#placeOf.get(id);
    if (place === undefined) return undefined;
    const document = this.#byPlace.get(place);
    this.#placeOf.delete(id);
    this.#byPlace.delete(place);
    return document;
  }

  /** Removes all that match, those too that no id leads to. */
  removeWhere(matches: (document: IndexedDocument) => boolean): string[] {
    const ids: string[] = [];
    for (const [place, document] of this.#byPlace) {
      if (!matches(document)) continue;
      const id = String(document['id']);
      this.#byPlace.delete(place);
      if (this.#placeOf.get(id) === place) this.#placeOf.delete(id);
      ids.push(id);
    }
    return ids;
  }

  #idOf(action: Action, document: IndexedDocument): string {
    const { id } = document;
    if (id === undefined) {
      if (action === 'update') throw new Refusal(400, 'For update, the `id` key must be provided.');
      const generated = String(this.#nextPlace);
      document['id'] = generated;
      return generated;
    }
    if (typeof id !== 'string') throw new Refusal(400, "Document's `id` field should be a string.");
    if (id === '') throw new Refusal(400, 'The `id` should not be empty.');
    return id;
  }

  #put(id: string, document: IndexedDocument, fresh: boolean): IndexedDocument {
    let place = fresh ? undefined : this.#placeOf.get(id);
    if (place === undefined) {
      place = this.#nextPlace++;
      this.#placeOf.set(id, place);
    }
    this.#byPlace.set(place, document);
    return document;
  }
}

function merged(existing: IndexedDocument, change: IndexedDocument): IndexedDocument {
  const entries = Object.entries({ ...existing, ...change });
  return Object.fromEntries(entries.filter(([key]) => change[key] !== null));
}
