import type { Figure } from './arithmetic.ts';
import type { Row } from './results.ts';
import type { Target, Unit } from './targets.ts';

/** Prints a row as soon as it is known, with its sides below it. */
export function printRow(row: Row): void {
  console.log(line(row));
  for (const { label, generator, perSecond, p50, p99 } of row.sides)
    console.log(
      `    ${label.padEnd(34)} ${formatted('per second', perSecond.median).padStart(10)}   p50 ${ms(p50)}   p99 ${ms(p99)}   ${generator}`,
    );
}

/** The rows of all scenarios in short, and what became of the targets. */
export function printSummary(rows: readonly Row[]): void {
  const targeted = rows.filter(({ target }) => target !== undefined);
  if (targeted.length > 0) console.log('\nTargets');
  for (const row of targeted) console.log(line(row));
  console.log(`\n${summary(rows)}`);
}

/** `3 met, 1 missed (x), 2 skipped (y, z)`. */
export function summary(rows: readonly Row[]): string {
  const parts = (['met', 'missed', 'skipped'] as const).map((verdict) => {
    const ids = rows.filter((row) => row.target !== undefined && row.verdict === verdict).map(({ id }) => id);
    const named = verdict === 'met' || ids.length === 0 ? '' : ` (${ids.join(', ')})`;
    return `${ids.length} ${verdict}${named}`;
  });
  return `targets: ${parts.join(', ')}`;
}

function line({ title, unit, value, skipped, target, verdict }: Row): string {
  const result = value === null ? `skipped: ${skipped}` : spread(unit, value);
  const held = target === undefined ? '' : `${wanted(unit, target).padEnd(10)} ${verdict}`;
  return `${title.padEnd(72)} ${result.padEnd(26)} ${held}`.trimEnd();
}

/** `1.17 (1.11–1.31)` */
export function spread(unit: Unit, { median, low, high, values }: Figure): string {
  const all = formatted(unit, median);
  return values.length > 1 ? `${all} (${formatted(unit, low)}–${formatted(unit, high)})` : all;
}

export function wanted(unit: Unit, { at, value }: Target): string {
  return `${at === 'least' ? '≥' : '≤'} ${formatted(unit, value)}`;
}

export function formatted(unit: Unit, value: number): string {
  switch (unit) {
    case 'ratio':
      return value.toFixed(2);
    case 'share':
      return `${(value * 100).toFixed(1)} %`;
    case 'per second':
      return `${Math.round(value).toLocaleString('en')}/s`;
    case 'MB':
      return `${value.toFixed(0)} MB`;
    case 's':
      return `${value.toFixed(2)} s`;
    case 'ms':
      return `${value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ms`;
    case 'microseconds':
      return `${value.toFixed(1)} µs`;
  }
}

function ms(figure: Figure): string {
  return formatted('ms', figure.median).padStart(9);
}
