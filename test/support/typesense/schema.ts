import { Refusal } from './errors.ts';
import { isObject, parseJson } from './json.ts';

/** A declared field, expanded as a summary shows it. */
export interface Field {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly facet: boolean;
  readonly index: boolean;
  readonly sort: boolean;
  readonly [more: string]: unknown;
}

/** A collection's schema, checked and expanded. */
export interface Schema {
  readonly name: string;
  readonly fields: Field[];
  readonly defaultSortingField: string;
  readonly enableNestedFields: boolean;
  readonly symbolsToIndex: readonly string[];
  readonly tokenSeparators: readonly string[];
  readonly metadata?: unknown;
}

const SCALARS = ['string', 'int32', 'int64', 'float', 'bool', 'geopoint', 'geopolygon', 'object', 'auto'];
const TYPES = new Set([...SCALARS, ...SCALARS.map((type) => `${type}[]`), 'string*', 'image']);
const SORTED = new Set(['int32', 'int64', 'float', 'bool', 'geopoint']);
const SORTABLE = new Set(['int32', 'int64', 'float', 'bool']);

/** Reads the body of `POST /collections`, with Typesense's checks in its order. */
export function readSchema(body: string): Schema {
  const value = readObject(body);
  const { name } = value;
  if (name === undefined) throw new Refusal(400, 'Parameter `name` is required.');
  if (typeof name !== 'string' || name === '')
    throw new Refusal(400, 'Parameter `name` must be a non-empty string.');
  const enableNestedFields = value['enable_nested_fields'] === true;
  const fields = readFields(value['fields'], enableNestedFields);
  const defaultSortingField = String(value['default_sorting_field'] ?? '');
  if (defaultSortingField !== '') {
    const field = fields.find((one) => one.name === defaultSortingField);
    if (field === undefined)
      throw new Refusal(
        400,
        `Default sorting field is defined as \`${defaultSortingField}\` but is not found in the schema.`,
      );
    if (!SORTABLE.has(field.type))
      throw new Refusal(400, `Default sorting field \`${defaultSortingField}\` is not a sortable type.`);
  }
  return {
    name,
    fields,
    defaultSortingField,
    enableNestedFields,
    symbolsToIndex: texts(value['symbols_to_index']),
    tokenSeparators: texts(value['token_separators']),
    ...(value['metadata'] !== undefined && { metadata: value['metadata'] }),
  };
}

/** Reads the body of `PATCH /collections/:name`: fields to add, and the names of those to drop. */
export function readSchemaChange(body: string, schema: Schema): { add: Field[]; drop: string[] } {
  const value = readObject(body);
  const keys = Object.keys(value);
  if (keys.length === 0 || keys.some((key) => key !== 'fields' && key !== 'metadata'))
    throw new Refusal(400, 'Only `fields` and `metadata` can be updated at the moment.');
  const fields = (value['fields'] ?? []) as unknown[];
  const dropped = (field: unknown) => isObject(field) && field['drop'] === true;
  const added = fields.filter((field) => !dropped(field));
  return {
    add: added.length === 0 ? [] : readFields(added, schema.enableNestedFields),
    drop: fields.filter(dropped).map((field) => String((field as { name: unknown }).name)),
  };
}

/** The object in a body that is not a document. */
export function readObject(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    ({ value } = parseJson(body));
  } catch {
    throw new Refusal(400, 'Bad JSON.');
  }
  if (!isObject(value)) throw new Refusal(400, 'Bad JSON.');
  return value;
}

function readFields(fields: unknown, nested: boolean): Field[] {
  if (fields === undefined) throw new Refusal(400, 'Parameter `fields` is required.');
  if (!Array.isArray(fields) || fields.length === 0)
    throw new Refusal(
      400,
      'The `fields` value should be an array of objects containing `name`, `type` and optionally, `facet` properties.',
    );
  return fields.map((field) => readField(field, nested));
}

function readField(field: unknown, nested: boolean): Field {
  if (!isObject(field) || typeof field['name'] !== 'string' || typeof field['type'] !== 'string')
    throw new Refusal(
      400,
      'Wrong format for `fields`. It should be an array of objects containing `name`, `type`, `optional` and `facet` properties.',
    );
  const { name, type } = field as { name: string; type: string };
  if (!TYPES.has(type))
    throw new Refusal(
      400,
      `Field \`${name}\` has an invalid data type \`${type}\`, see docs for supported data types.`,
    );
  if ((type === 'object' || type === 'object[]') && !nested)
    throw new Refusal(
      400,
      'Type `object` or `object[]` can be used only when nested fields are enabled by setting` enable_nested_fields` to true.',
    );
  return {
    facet: false,
    index: true,
    infix: false,
    locale: '',
    sort: SORTED.has(type),
    stem: false,
    stem_dictionary: '',
    store: true,
    ...field,
    name,
    optional: isPattern(name) || field['optional'] === true,
    type,
  } as Field;
}

/** Whether a field's name is a pattern, such as `.*`. */
export function isPattern(name: string): boolean {
  return name.includes('*');
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
