import { parseArgs } from 'node:util';

/** What the command line of `npm run bench` says. */
export interface BenchOptions {
  /** In the order in which they run. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly check: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** A scenario as the command line sees it. */
export interface Named {
  readonly name: string;
  /** Runs only where it is named. */
  readonly onlyByName?: boolean;
}

/** The command line cannot be used; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `npm run bench -- [--rounds N] [--seconds N] [--check] [--list] [scenario…]

  --rounds N   measured rounds of each comparison, after one that warms up (default 5)
  --seconds N  seconds of load of each side in a round (default 2)
  --check      exit with 1 where a target is missed; what was skipped is counted, not passed
  --list       what there is
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[], known: readonly Named[]): BenchOptions {
  const { values, positionals } = parse(args);
  const unknown = positionals.filter((name) => !known.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new UsageError(
      `no scenario ${unknown.join(', ')}; there are: ${known.map(({ name }) => name).join(', ')}`,
    );
  const wanted = known.filter(({ name, onlyByName }) =>
    positionals.length > 0 ? positionals.includes(name) : !onlyByName,
  );
  return {
    scenarios: wanted.map(({ name }) => name),
    rounds: count('rounds', values.rounds, 100),
    seconds: count('seconds', values.seconds, 600),
    check: values.check,
    list: values.list,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        check: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A whole number from 1 up. @throws UsageError */
export function count(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > max)
    throw new UsageError(`--${name} takes a whole number from 1 to ${max}, not "${text}"`);
  return value;
}

/** One of a few words. @throws UsageError */
export function oneOf<T extends string>(name: string, value: string, words: readonly T[]): T {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new UsageError(`--${name} is one of ${words.join(', ')}, not "${value}"`);
  return word;
}
