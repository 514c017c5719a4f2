import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './arithmetic.ts';
import { meets, type Target, targetOf, type Unit } from './targets.ts';

/** Where results are kept. */
export const RESULTS = new URL('results/', import.meta.url).pathname;

/** `skipped`: not measured, for the reason that the row tells; it counts neither as met nor as missed. */
export type Verdict = 'met' | 'missed' | 'skipped' | 'no target';

/** One side of a comparison: what it was, and what it reached. Latencies in milliseconds. */
export interface SideResult {
  readonly label: string;
  /** The load generator. */
  readonly generator: string;
  readonly perSecond: Figure;
  readonly p50: Figure;
  readonly p99: Figure;
}

/** One line of the table. */
export interface Row {
  /** Path-like, unique; targets and charts know rows by it. */
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly value: Figure | null;
  /** Why it was not measured. */
  readonly skipped?: string;
  readonly target?: Target;
  readonly verdict: Verdict;
  readonly sides: readonly SideResult[];
}

/** What a row says of itself; target and verdict follow from it. */
export type Finding = Pick<Row, 'id' | 'title' | 'unit'> &
  Partial<Pick<Row, 'sides'>> &
  ({ readonly value: Figure } | { readonly skipped: string });

export function rowOf(finding: Finding): Row {
  const { id, title, unit, sides = [] } = finding;
  const target = targetOf(id);
  const targeted = target === undefined ? {} : { target };
  if ('skipped' in finding)
    return { id, title, unit, value: null, skipped: finding.skipped, ...targeted, verdict: 'skipped', sides };
  const { value } = finding;
  const verdict = target === undefined ? 'no target' : meets(value.median, target) ? 'met' : 'missed';
  return { id, title, unit, value, ...targeted, verdict, sides };
}

/** What one scenario found, and how it was run. */
export interface ScenarioResult {
  readonly at: string;
  readonly commit: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** One day's results: a scenario that is run again replaces what it found before. */
export interface Results {
  readonly date: string;
  readonly machine: string;
  readonly placement: string;
  readonly generators: readonly string[];
  readonly scenarios: Readonly<Record<string, ScenarioResult>>;
}

export function parseResults(text: string): Results {
  const results = JSON.parse(text) as Results;
  if (typeof results.scenarios !== 'object') throw new Error('these are not results of this bench');
  return results;
}

/** Adds to the results of the day, which are begun where there are none. */
export function saveResults(results: Results, folder = RESULTS): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${results.date}.json`);
  const before = readdirSync(folder).includes(`${results.date}.json`)
    ? parseResults(readFileSync(file, 'utf8')).scenarios
    : {};
  const scenarios = { ...before, ...results.scenarios };
  writeFileSync(file, `${JSON.stringify({ ...results, scenarios }, null, 1)}\n`);
  return file;
}

/** The results of the last day on which there were any. */
export function newestResults(folder = RESULTS): Results | undefined {
  const [newest] = readdirSync(folder)
    .filter((name) => /^\d{4}-\d\d-\d\d\.json$/.test(name))
    .toSorted()
    .toReversed();
  return newest === undefined ? undefined : parseResults(readFileSync(join(folder, newest), 'utf8'));
}
