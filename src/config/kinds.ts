/** What a variable's text may be: how it is read, how a value is written back, and the words for its range. */

import { resolve } from 'node:path';
import type { Rate } from './types.ts';

/** Reasons why a text is not a value. Its message continues "NAME …". */
export class Fault extends Error {
  override readonly name = 'Fault';
}

/** What reading a value may depend on besides its text. */
export interface ReadContext {
  /** The folder that relative paths are relative to; absolute itself. */
  readonly cwd: string;
}

export interface Kind<T> {
  /** A noun phrase for messages and `.env.example`: "an integer from 0 to 65535". */
  readonly range: string;
  /** @throws {Fault} when the text is not a value of this kind; never anything else. */
  parse(text: string, context: ReadContext): T;
  /** The inverse of `parse`: a text that reads as an equal value. */
  format(value: T): string;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

interface Unit {
  readonly suffix: string;
  readonly factor: number;
}

// The largest first: `format` takes the first that divides the value.
const DURATION_UNITS: readonly Unit[] = [
  { suffix: 'h', factor: 3_600_000 },
  { suffix: 'm', factor: 60_000 },
  { suffix: 's', factor: 1000 },
  { suffix: 'ms', factor: 1 },
];

const SIZE_UNITS: readonly Unit[] = [
  { suffix: 'GiB', factor: 1024 ** 3 },
  { suffix: 'MiB', factor: 1024 ** 2 },
  { suffix: 'KiB', factor: 1024 },
  { suffix: 'B', factor: 1 },
];

/** Decimal digits only: no sign, no exponent, no separators. */
export function integer({ min, max }: Bounds): Kind<number> {
  const range = `an integer from ${min} to ${max}`;
  return {
    range,
    parse(text) {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return within(value, { min, max }, range);
    },
    format: String,
  };
}

/** Milliseconds, written as `500ms`, `30s`, `2m`, `1h` or a bare number of seconds; bounds in milliseconds. */
export function duration({ min, max }: Bounds): Kind<number> {
  const show = (ms: number) => (ms === 0 ? '0s' : withUnit(ms, DURATION_UNITS));
  const range = `a duration from ${show(min)} to ${show(max)}, such as 500ms, 30s or 2m (a bare number is seconds)`;
  return {
    range,
    parse: (text) => within(scaled(text, DURATION_UNITS, 1000), { min, max }, range),
    format: show,
  };
}

/** As {@link duration}, or a word that stands for no bound at all. */
export function durationOr(word: string, bounds: Bounds): Kind<number | undefined> {
  const bounded = duration(bounds);
  const range = `${word}, or ${bounded.range}`;
  return {
    range,
    parse(text, context) {
      if (text.toLowerCase() === word) return undefined;
      try {
        return bounded.parse(text, context);
      } catch (error) {
        throw error instanceof Fault ? new Fault(`must be ${range}`) : error;
      }
    },
    format: (value) => (value === undefined ? word : bounded.format(value)),
  };
}

/** Bytes, written as `4194304`, `64KiB`, `4MiB` or `1GiB`; bounds in bytes. */
export function size({ min, max }: Bounds): Kind<number> {
  const show = (bytes: number) => withUnit(bytes, SIZE_UNITS).replace(/(?<=\d)B$/, '');
  const range = `a number of bytes from ${show(min)} to ${show(max)}, such as 65536, 64KiB or 4MiB`;
  return {
    range,
    parse: (text) => within(scaled(text, SIZE_UNITS, 1), { min, max }, range),
    format: show,
  };
}

const RATE_UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** A number of calls a second, minute or hour, or empty for no limit. */
export const rate: Kind<Rate | undefined> = {
  range:
    'a number of calls from 1 to 1000000000 a second, minute or hour, such as 100/s, 5000/m or 100000/h, or empty',
  parse(text) {
    if (text === '') return undefined;
    const [, digits, unit] = /^(\d{1,10})\s*\/\s*([smh])$/i.exec(text) ?? [];
    const calls = within(Number(digits), { min: 1, max: 1e9 }, rate.range);
    return { calls, perMs: RATE_UNITS_MS[unit!.toLowerCase()]! };
  },
  format(value) {
    const [unit] = Object.entries(RATE_UNITS_MS).find(([, ms]) => ms === value?.perMs) ?? [];
    return value === undefined ? '' : `${value.calls}/${unit}`;
  },
};

/** One of a few words, in any case of letters; one of them may be the empty one. */
export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  const range = `one of ${words.map((word) => word || 'empty').join(', ')}`;
  return {
    range,
    parse(text) {
      const word = words.find((candidate) => candidate === text.toLowerCase());
      if (word === undefined) throw new Fault(`must be ${range}`);
      return word;
    },
    format: String,
  };
}

/** 1 to `maxLength` printable ASCII characters. */
export function label({ maxLength }: { readonly maxLength: number }): Kind<string> {
  const range = `1 to ${maxLength} printable ASCII characters`;
  return {
    range,
    parse(text) {
      if (!/^[\x20-\x7e]+$/.test(text) || text.length > maxLength) throw new Fault(`must be ${range}`);
      return text;
    },
    format: String,
  };
}

/** A key or token as an HTTP header can carry it, or empty. */
export const secret: Kind<string> = {
  range: 'visible ASCII characters without blanks, or empty',
  parse(text) {
    if (!/^[\x21-\x7e]*$/.test(text)) throw new Fault(`must be ${secret.range}`);
    return text;
  },
  format: String,
};

/** A name that is compared byte by byte, such as an issuer or an audience, or empty. */
export const name: Kind<string> = secret;

/** A file, absolute after reading, or empty. */
export const filePath: Kind<string> = {
  range: 'a path, relative to the working directory, or empty',
  parse(text, { cwd }) {
    if (/\p{Cc}/u.test(text)) throw new Fault(`must be ${filePath.range}`);
    return text === '' ? text : resolve(cwd, text);
  },
  format: String,
};

function scaled(text: string, units: readonly Unit[], bareFactor: number): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  if (match === null) return Number.NaN;
  const [, digits, suffix] = match;
  const unit = units.find((candidate) => candidate.suffix.toLowerCase() === suffix?.toLowerCase());
  if (unit === undefined && suffix !== '') return Number.NaN;
  const value = Number(digits) * (unit?.factor ?? bareFactor);
  // 0.1s is 100.00000000000001 ms in some notations; what is off by less than that is meant whole.
  const whole = Math.round(value);
  return Math.abs(value - whole) < 1e-6 ? whole : Number.NaN;
}

function withUnit(value: number, units: readonly Unit[]): string {
  const unit = units.find((candidate) => value !== 0 && value % candidate.factor === 0);
  return unit === undefined ? String(value) : `${value / unit.factor}${unit.suffix}`;
}

function within(value: number, { min, max }: Bounds, range: string): number {
  // NaN fails both comparisons, hence the form.
  if (!(value >= min && value <= max)) throw new Fault(`must be ${range}`);
  return value;
}
