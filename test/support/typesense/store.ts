import { Collection, type Refuse } from './collection.ts';
import { Refusal } from './errors.ts';
import type { IndexedDocument } from './json.ts';
import { type Field, readSchemaChange, type Schema } from './schema.ts';

const NOT_FOUND = 'Collection not found';

/** Everything that an index holds: collections and aliases. It outlives the server in front of it. */
export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #aliases = new Map<string, string>();
  readonly #refused = new Map<string, Refusal>();
  /** Unix seconds, for `created_at`. */
  now: () => number = () => Math.floor(Date.now() / 1000);

  /** Refuses every write of this document id, until {@link accept}; the status is that of a single call. */
  refuse(id: string, status = 400, message = `Field \`text\` of ${id} is refused by the test.`): void {
    this.#refused.set(id, new Refusal(status, message));
  }

  accept(id: string): void {
    this.#refused.delete(id);
  }

  /** The documents of a collection, in order of first writing; none where there is no such collection. */
  documents(collection: string): IndexedDocument[] {
    return [...(this.#resolve(collection)?.all() ?? [])];
  }

  /** The documents of a collection by id. */
  documentsById(collection: string): Map<string, IndexedDocument> {
    return new Map(this.documents(collection).map((document) => [String(document['id']), document]));
  }

  has(collection: string): boolean {
    return this.#collections.has(collection);
  }

  /** Takes a collection away while others work with it. */
  drop(collection: string): boolean {
    return this.#collections.delete(collection);
  }

  clear(): void {
    this.#collections.clear();
    this.#aliases.clear();
  }

  create(schema: Schema): Collection {
    if (this.#collections.has(schema.name))
      throw new Refusal(409, `A collection with name \`${schema.name}\` already exists.`);
    const refuse: Refuse = (_, document) => this.#refused.get(String(document['id']));
    const collection = new Collection(schema, this.now(), refuse);
    this.#collections.set(schema.name, collection);
    return collection;
  }

  /** A collection by its own name or an alias. */
  get(name: string): Collection {
    const collection = this.#resolve(name);
    if (collection === undefined) throw new Refusal(404, NOT_FOUND);
    return collection;
  }

  list(): Collection[] {
    return [...this.#collections.values()].sort((a, b) => (a.schema.name < b.schema.name ? -1 : 1));
  }

  change(name: string, body: string): { fields: unknown[] } {
    const { schema } = this.get(name);
    const { add, drop } = readSchemaChange(body, schema);
    const kept = schema.fields.filter((field) => !drop.includes(field.name));
    const fields: Field[] = [...kept, ...add];
    schema.fields.splice(0, schema.fields.length, ...fields);
    return { fields: [...drop.map((dropped) => ({ drop: true, name: dropped })), ...add] };
  }

  /** As `DELETE /collections/:name`; an alias names its target, and is left dangling. */
  remove(name: string): Collection {
    const collection = this.#resolve(name);
    if (collection === undefined) throw new Refusal(404, `No collection with name \`${name}\` found.`);
    this.#collections.delete(collection.schema.name);
    return collection;
  }

  setAlias(name: string, target: string): void {
    if (this.#collections.has(name))
      throw new Refusal(500, `Name \`${name}\` conflicts with an existing collection name.`);
    this.#aliases.set(name, target);
  }

  alias(name: string): string {
    const target = this.#aliases.get(name);
    if (target === undefined) throw new Refusal(404, NOT_FOUND);
    return target;
  }

  removeAlias(name: string): string {
    const target = this.alias(name);
    this.#aliases.delete(name);
    return target;
  }

  aliases(): { collection_name: string; name: string }[] {
    return [...this.#aliases].map(([name, target]) => ({ collection_name: target, name }));
  }

  #resolve(name: string): Collection | undefined {
    return this.#collections.get(name) ?? this.#collections.get(this.#aliases.get(name) ?? '');
  }
}

/** A collection as Typesense shows it. */
export function summaryOf({ schema, createdAt, size }: Collection): Record<string, unknown> {
  return {
    created_at: createdAt,
    default_sorting_field: schema.defaultSortingField,
    enable_nested_fields: schema.enableNestedFields,
    fields: schema.fields.filter(({ name }) => name !== 'id'),
    name: schema.name,
    num_documents: size,
    symbols_to_index: schema.symbolsToIndex,
    token_separators: schema.tokenSeparators,
    ...(schema.metadata !== undefined && { metadata: schema.metadata }),
  };
}
