import { Refusal } from './errors.ts';

/** A document as it is kept: integers that a double would round are bigints. */
export type IndexedDocument = Record<string, unknown>;

/** JSON as nlohmann's parser reads it, which is stricter than V8 about surrogates and about numbers. */
export interface Parsed {
  readonly value: unknown;
  /** Keys of the top level whose number, or one of whose numbers, was written with a point or an exponent. */
  readonly fractions: ReadonlySet<string>;
}

const NO_FRACTIONS: ReadonlySet<string> = new Set();
const MAX_UINT64 = 2n ** 64n - 1n;
const PARSE_ERROR = '[json.exception.parse_error.101] parse error at';

/** A number that V8 would read otherwise than nlohmann: one with a point or an exponent, or with many digits. */
const UNUSUAL_NUMBER = /(?:[:[,]|^)\s*-?\d+(?:[.eE]|\d{15})/;
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** @throws Refusal 400 as Typesense words it, but for the end of the text, which is the parser's own. */
export function parseJson(text: string): Parsed {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (SURROGATE_ESCAPE.test(source)) checkSurrogates(source);
  try {
    if (UNUSUAL_NUMBER.test(source)) return parseExactly(source);
    return { value: JSON.parse(source), fractions: NO_FRACTIONS };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, `Bad JSON: ${PARSE_ERROR} ${placeOf(source, error as Error)}`);
  }
}

/** Compact, with keys in order, as Typesense writes documents. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return rawJson(String(part));
    if (typeof part !== 'object' || part === null || Array.isArray(part) || isRawJson(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** The document in a text. */
export function parseDocument(text: string): { document: IndexedDocument; fractions: ReadonlySet<string> } {
  const { value, fractions } = parseJson(text);
  if (!isObject(value)) throw new Refusal(400, 'Bad JSON: not a properly formed document.');
  return { document: value, fractions };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const { rawJSON: rawJson, isRawJSON: isRawJson } = JSON as unknown as {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
};

function parseExactly(source: string): Parsed {
  const fractional = new WeakSet<object>();
  const fractions = new Set<string>();
  // The reviver visits the leaves first, then what holds them; the last object that it visits is the document.
  const reviver = function (this: object, key: string, value: unknown, context?: { source?: string }) {
    if (typeof value === 'object' && value !== null) {
      if (Array.isArray(value) && fractional.has(value)) fractional.add(this).add(value);
      return value;
    }
    if (typeof value !== 'number') return value;
    const digits = context?.source ?? String(value);
    if (!Number.isFinite(value))
      throw new Refusal(
        400,
        `Bad JSON: [json.exception.out_of_range.406] number overflow parsing '${digits}'`,
      );
    if (/[.eE]/.test(digits) || isTooLarge(digits)) {
      fractional.add(this);
      fractionKeys.push([this, key]);
      return value;
    }
    return Number.isSafeInteger(value) ? value : BigInt(digits);
  };
  const fractionKeys: [object, string][] = [];
  const value: unknown = JSON.parse(source, reviver as (key: string, value: unknown) => unknown);
  if (isObject(value))
    for (const [key, part] of Object.entries(value)) {
      const own = fractionKeys.some(([holder, name]) => holder === value && name === key);
      if (own || (Array.isArray(part) && fractional.has(part))) fractions.add(key);
    }
  return { value, fractions };
}

function isTooLarge(digits: string): boolean {
  if (digits.length < 19) return false;
  const integer = BigInt(digits);
  return integer > MAX_UINT64 || integer < -(2n ** 63n);
}

function checkSurrogates(source: string): void {
  let high = false;
  let end = 0;
  const fail = (index: number, reason: string) => {
    throw new Refusal(
      400,
      `Bad JSON: ${PARSE_ERROR} ${place(source, index)}: syntax error while parsing value - ` +
        `invalid string: ${reason}; last read: '${source.slice(Math.max(0, index - 8), index)}'`,
    );
  };
  const lonelyHigh = 'surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF';
  for (const { 0: escaped, index } of source.matchAll(/\\(?:u[0-9a-fA-F]{4}|.)/gs)) {
    const code = escaped.length === 6 ? Number.parseInt(escaped.slice(2), 16) : 0;
    const low = code >= 0xdc00 && code <= 0xdfff;
    if (high && !(low && index === end)) fail(end, lonelyHigh);
    if (low && !high) fail(index, 'surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF');
    high = code >= 0xd800 && code <= 0xdbff;
    end = index + escaped.length;
  }
  if (high) fail(end, lonelyHigh);
}

function placeOf(source: string, { message }: Error): string {
  const position = /position (\d+)/.exec(message)?.[1];
  const token = /Unexpected token '(.)'/su.exec(message)?.[1] ?? '';
  const index = position === undefined ? Math.max(0, source.indexOf(token)) : Number(position);
  return `${place(source, index)}: syntax error while parsing value - ${message}`;
}

function place(source: string, index: number): string {
  const before = source.slice(0, index);
  return `line ${before.split('\n').length}, column ${index - before.lastIndexOf('\n')}`;
}
