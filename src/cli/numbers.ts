import { quote } from '../config/mask.ts';
import { CommandError, type Options } from './command.ts';

/** An element id that was typed. */
export function elementId(text: string, what = 'ID'): bigint {
  return BigInt(whole(text, what, Number.MAX_SAFE_INTEGER));
}

/** A whole number from 1 that was given as an option. */
export function count(options: Options, name: string): number | undefined {
  const text = options[name];
  return typeof text === 'string' ? whole(text, `--${name}`, 2 ** 31 - 1) : undefined;
}

function whole(text: string, what: string, most: number): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new CommandError(`${what} must be a whole number from 1 to ${most}; it is ${quote(text)}`, 2);
}
