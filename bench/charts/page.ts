import type { Results, Row } from '../results.ts';
import type { SoakResult } from '../steady-result.ts';
import { spread, wanted } from '../table.ts';
import { CHOICES, rowsOf, whyNot } from './choices.ts';
import { matrixCharts } from './matrix.ts';
import { soakCharts, soakText } from './steady.ts';

/** A page and the charts beside it, by file name. */
export interface Page {
  readonly markdown: string;
  readonly charts: ReadonlyMap<string, string>;
}

/** The page from what was measured. What was not measured is said to be so, and not drawn. */
export function performancePage(results: Results | undefined, soaks: readonly SoakResult[]): Page {
  const rows = Object.values(results?.scenarios ?? {}).flatMap(({ rows }) => rows);
  const charts = new Map<string, string>();
  const picture = (name: string, svg: string, alt: string) => {
    charts.set(`${name}.svg`, svg);
    return `![${alt}](performance/${name}.svg)`;
  };
  const parts = [head(results), targets(rows), '## Choices, and the figure beside each'];
  for (const choice of CHOICES) {
    const shown = rowsOf(choice, rows);
    const measured = shown.filter(({ value }) => value !== null);
    const svg = measured.length > 0 ? choice.chart(measured) : undefined;
    parts.push(`### ${choice.title}`, choice.why);
    if (measured.length > 0) parts.push(table(measured));
    else parts.push(`Not measured: ${whyNot(shown)}.`);
    if (svg !== undefined) parts.push(picture(choice.name, svg, choice.title));
  }
  const matrix = matrixCharts(rows);
  parts.push('## Each RPC by the number of its callers');
  if (matrix.length === 0) parts.push('Not measured.');
  for (const { name, svg } of matrix) parts.push(picture(name, svg, name));
  const sequences = rows.filter(({ id, value }) => id.startsWith('sequences/') && value !== null);
  if (sequences.length > 0) parts.push(table(sequences));
  parts.push(
    '## Soak',
    `Calls are sent at fixed times, whether those before were answered or not, so that a stall counts for every call that it
holds up (no coordinated omission).`,
  );
  if (soaks.length === 0) parts.push('Not measured.');
  for (const soak of soaks) {
    parts.push(soakText(soak).trim());
    for (const { name, svg } of soakCharts(soak)) parts.push(picture(name, svg, name));
  }
  return { markdown: `${parts.join('\n\n')}\n`, charts };
}

function head(results: Results | undefined): string {
  if (results === undefined)
    return `# Performance

Made by \`npm run bench:charts\` from what \`npm run bench\` measures; not written by hand. Nothing has been measured yet.`;
  const { machine, placement, generators, scenarios } = results;
  const runs = Object.values(scenarios);
  const efforts = [...new Set(runs.map(({ rounds, seconds }) => `${rounds} rounds of ${seconds} s`))];
  const byDay = Map.groupBy(Object.entries(scenarios), ([, { at }]) => at.slice(0, 10));
  const days = [...byDay].sort().map(([day, of]) => `${day} (${of.map(([name]) => name).join(', ')})`);
  const commits = [...new Set(runs.map(({ commit }) => commit))];
  return `# Performance

Made by \`npm run bench:charts\` from what \`npm run bench\` measured; not written by hand. The sides of a comparison
alternate within one run; a figure is the median, in brackets lowest and highest. Ratios hold elsewhere, absolute figures do
not. Not measured: TLS, a real network, large contents.

- Machine: ${machine}
- Placement: ${placement}
- Load: ${generators.join('; ')}
- Days: ${days.join('; ')}
- Effort: ${efforts.join(', ')} (the matrix less)
- Commit: ${commits.join(', ')}`;
}

function targets(rows: readonly Row[]): string {
  const targeted = rows.filter(({ target }) => target !== undefined);
  return `## Targets\n\n${targeted.length === 0 ? 'Not measured.' : table(targeted)}`;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ title, unit, value, skipped, target, verdict }) => {
    const measured = value === null ? `${skipped}` : spread(unit, value);
    const [bound, judged] = target === undefined ? ['', ''] : [wanted(unit, target), verdict];
    return `| ${title} | ${measured} | ${bound} | ${judged} |`;
  });
  return ['| | measured | target | |', '|---|---|---|---|', ...lines].join('\n');
}
