import { Refusal } from './errors.ts';
import type { IndexedDocument } from './json.ts';
import type { Field, Schema } from './schema.ts';
import { tokensOf } from './tokens.ts';

/** Whether a document passes a filter. */
export type Filter = (document: IndexedDocument) => boolean;

const ID: Field = { name: 'id', type: 'string', optional: false, facet: false, index: true, sort: false };
const NOT_PARSED = 'Could not parse the filter query.';

/**
 * Reads a `filter_by`: `field:value`, `:=`, `:!=`, `:<`, `:<=`, `:>`, `:>=`, lists in brackets, numeric ranges
 * `[1..5]`, strings in backticks, `&&` before `||`, parentheses. No joins, no geography.
 */
export function parseFilter(text: string, schema: Schema): Filter {
  return new FilterParser(text, schema).parse();
}

class FilterParser {
  readonly #text: string;
  readonly #schema: Schema;
  #at = 0;

  constructor(text: string, schema: Schema) {
    this.#text = text;
    this.#schema = schema;
  }

  parse(): Filter {
    const filter = this.#any();
    if (this.#rest() !== '') throw new Refusal(400, NOT_PARSED);
    return filter;
  }

  #any(): Filter {
    const parts = [this.#all()];
    while (this.#skip('||')) parts.push(this.#all());
    return (document) => parts.some((part) => part(document));
  }

  #all(): Filter {
    const parts = [this.#one()];
    while (this.#skip('&&')) parts.push(this.#one());
    return (document) => parts.every((part) => part(document));
  }

  #one(): Filter {
    if (!this.#skip('(')) return this.#clause();
    const inner = this.#any();
    if (!this.#skip(')')) throw new Refusal(400, NOT_PARSED);
    return inner;
  }

  #clause(): Filter {
    const name = this.#match(/[^\s:()&|]+/y);
    if (name === undefined || !this.#skip(':')) throw new Refusal(400, NOT_PARSED);
    const field = name === 'id' ? ID : this.#schema.fields.find((one) => one.name === name);
    if (field === undefined)
      throw new Refusal(400, `Could not find a filter field named \`${name}\` in the schema.`);
    const operator = this.#match(/!=|<=|>=|[!=<>]/y) ?? '';
    const values = this.#values();
    return clause(field, operator, values, this.#schema);
  }

  #values(): string[] {
    if (!this.#skip('[')) return [this.#value(/[^&|)]+/y)];
    const values: string[] = [];
    if (this.#skip(']')) return values;
    do values.push(this.#value(/[^,\]]+/y));
    while (this.#skip(','));
    if (!this.#skip(']')) throw new Refusal(400, NOT_PARSED);
    return values;
  }

  #value(bare: RegExp): string {
    const quoted = this.#match(/`[^`]*`/y);
    if (quoted !== undefined) return quoted.slice(1, -1);
    const value = this.#match(bare)?.trim();
    if (value === undefined || value === '') throw new Refusal(400, NOT_PARSED);
    return value;
  }

  #rest(): string {
    return this.#text.slice(this.#at).trimStart();
  }

  #skip(symbol: string): boolean {
    if (!this.#rest().startsWith(symbol)) return false;
    this.#at = this.#text.indexOf(symbol, this.#at) + symbol.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#text.length - this.#rest().length;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at = pattern.lastIndex;
    return found;
  }
}

function clause(field: Field, operator: string, values: readonly string[], schema: Schema): Filter {
  const negated = operator.startsWith('!');
  const passes = testOf(field, operator.replace('!', ''), values, schema);
  return (document) => {
    const value = document[field.name];
    const parts = Array.isArray(value) ? value : [value];
    const found = value !== undefined && value !== null && parts.some(passes);
    return negated ? !found : found;
  };
}

function testOf(
  field: Field,
  operator: string,
  values: readonly string[],
  schema: Schema,
): (part: unknown) => boolean {
  const type = field.type.replace('[]', '');
  if (field === ID) return (part) => values.includes(part as string);
  if (type === 'bool') return boolTest(field, values);
  if (type === 'string') return stringTest(operator, values, schema);
  return numberTest(field, type, operator, values);
}

function boolTest({ name }: Field, values: readonly string[]): (part: unknown) => boolean {
  if (values.some((value) => value !== 'true' && value !== 'false'))
    throw new Refusal(400, `Value of filter field \`${name}\` must be \`true\` or \`false\`.`);
  return (part) => values.includes(String(part));
}

function stringTest(operator: string, values: readonly string[], schema: Schema): (part: unknown) => boolean {
  const wanted = values.map((value) => tokensOf(value, schema));
  const exact = operator === '=';
  return (part) => {
    const tokens = tokensOf(String(part), schema);
    return wanted.some((words) =>
      exact ? words.join(' ') === tokens.join(' ') : words.every((word) => tokens.includes(word)),
    );
  };
}

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '': (a, b) => a === b,
  '=': (a, b) => a === b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function numberTest(
  { name }: Field,
  type: string,
  operator: string,
  values: readonly string[],
): (part: unknown) => boolean {
  const pattern = type === 'float' ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
  const tests = values.map((value) => {
    const ends = value.split('..').map((end) => end.trim());
    if (ends.length > 2 || ends.some((end) => !pattern.test(end)))
      throw new Refusal(400, `Error with filter field \`${name}\`: Not an ${type}.`);
    const [from, to] = ends.map(Number) as [number, number?];
    return to === undefined
      ? (number: number) => COMPARE[operator]!(number, from)
      : (number: number) => number >= from && number <= to;
  });
  return (part) => tests.some((test) => test(Number(part)));
}
