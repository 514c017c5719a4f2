import { Refusal } from './errors.ts';
import type { IndexedDocument } from './json.ts';
import { type Field, isPattern, type Schema } from './schema.ts';

/** What is done with a value of the wrong type. */
export const DIRTY_VALUES = ['reject', 'coerce_or_reject', 'coerce_or_drop', 'drop'] as const;
export type DirtyValues = (typeof DIRTY_VALUES)[number];

interface Check {
  /** As in "must be an int32." */
  readonly named: string;
  readonly fits: (value: unknown, fraction: boolean) => boolean;
  readonly coerce: (value: unknown) => unknown;
}

const integer = (value: unknown, fraction: boolean) =>
  (typeof value === 'bigint' || Number.isInteger(value)) && !fraction;
const number = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
const toInteger = (value: unknown) => {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return Math.trunc(value);
  return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : undefined;
};
const toFloat = (value: unknown) =>
  typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
    ? Number(value)
    : undefined;
const toBool = (value: unknown) => ({ true: true, false: false, 1: true, 0: false })[String(value)];
const toText = (value: unknown) => (typeof value === 'object' ? undefined : String(value));

const CHECKS: Readonly<Record<string, Check>> = {
  string: { named: 'a string', fits: (value) => typeof value === 'string', coerce: toText },
  int32: { named: 'an int32', fits: integer, coerce: toInteger },
  int64: { named: 'an int64', fits: integer, coerce: toInteger },
  float: { named: 'a float', fits: number, coerce: toFloat },
  bool: { named: 'a bool', fits: (value) => typeof value === 'boolean', coerce: toBool },
  geopoint: {
    named: 'a 2 element array: [lat, lng]',
    fits: (value) => Array.isArray(value) && value.length === 2 && value.every(number),
    coerce: () => undefined,
  },
};

/** Whether a field is one that the double looks at: neither a pattern nor of a type that it keeps untyped. */
export function isChecked({ name, type }: Field): boolean {
  return !isPattern(name) && CHECKS[type.replace('[]', '')] !== undefined;
}

/**
 * Checks a document against its schema, in place: values may be coerced or dropped.
 *
 * @param complete whether every required field must be there; not so for a merge
 */
export function checkFields(
  schema: Schema,
  document: IndexedDocument,
  fractions: ReadonlySet<string>,
  complete: boolean,
  dirtyValues: DirtyValues,
): void {
  const { defaultSortingField, fields } = schema;
  if (complete && defaultSortingField !== '' && document[defaultSortingField] === undefined)
    throw new Refusal(
      400,
      `Field \`${defaultSortingField}\` has been declared as a default sorting field, but is not found in the document.`,
    );
  for (const field of fields) {
    const value = document[field.name];
    if (value === undefined) {
      if (complete && !field.optional && !isPattern(field.name)) throw missing(field);
    } else if (value === null && field.optional) {
      if (complete) delete document[field.name];
    } else if (isChecked(field)) checkField(field, document, fractions.has(field.name), dirtyValues);
  }
}

function missing({ name }: Field): Refusal {
  return new Refusal(
    400,
    `Field \`${name}\` has been declared in the schema, but is not found in the document.`,
  );
}

function checkField(
  field: Field,
  document: IndexedDocument,
  fraction: boolean,
  dirtyValues: DirtyValues,
): void {
  const { name, type } = field;
  const check = CHECKS[type.replace('[]', '')]!;
  const value = document[name];
  const list = type.endsWith('[]');
  if (list && !Array.isArray(value)) throw new Refusal(400, `Field \`${name}\` must be an array.`);
  const parts = list ? (value as unknown[]) : [value];
  const wrong = (part: unknown) => !check.fits(part, fraction);
  if (!parts.some(wrong)) return;
  const refusal = new Refusal(
    400,
    `Field \`${name}\` must be ${list ? `an array of ${type.slice(0, -2)}` : check.named}.`,
  );
  if (dirtyValues === 'reject') throw refusal;
  const coerced = dirtyValues === 'drop' ? [undefined] : parts.map((part) => fitted(check, part, fraction));
  if (!coerced.includes(undefined)) document[name] = list ? coerced : coerced[0];
  else if (dirtyValues === 'coerce_or_reject' || !field.optional) throw refusal;
  else delete document[name];
}

function fitted(check: Check, part: unknown, fraction: boolean): unknown {
  return check.fits(part, fraction) ? part : check.coerce(part);
}
