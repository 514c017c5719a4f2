import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS } from '../results.ts';
import type { SoakResult } from '../steady-result.ts';
import { formatted } from '../table.ts';
import { lineChart } from './chart.ts';

/** The newest soak of each engine. */
export function newestSoaks(folder = RESULTS): SoakResult[] {
  const files = readdirSync(folder)
    .filter((name) => /^soak-(sqlite|postgres)-\d{4}-\d\d-\d\d\.json$/.test(name))
    .toSorted();
  const newest = new Map(files.map((name) => [name.split('-')[1]!, name]));
  return [...newest.values()].map(
    (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as SoakResult,
  );
}

export function soakCharts({ engine, load, resident }: SoakResult): { name: string; svg: string }[] {
  const latency = (pick: 'p50' | 'p99' | 'p999', label: string) => ({
    label,
    points: load.timeline.map((each) => [each.second, each[pick]] as const),
  });
  return [
    {
      name: `soak-${engine}-latency`,
      svg: lineChart(`Latency of each second, ${engine}`, { x: 'seconds', y: 'ms', logarithmicY: true }, [
        latency('p50', 'p50'),
        latency('p99', 'p99'),
        latency('p999', 'p99.9'),
      ]),
    },
    {
      name: `soak-${engine}-memory`,
      svg: lineChart(`RSS, ${engine}`, { x: 'seconds', y: 'MB' }, [
        { label: 'RSS', points: resident.map(({ second, megabytes }) => [second, megabytes] as const) },
      ]),
    },
  ];
}

/** What a soak found, in Markdown. */
export function soakText({ engine, minutes, rate, best, commit, lane, load, gc }: SoakResult): string {
  const ms = (value: number) => formatted('ms', value);
  const pauses = gc.map(
    ({ kind, pauses, meanMs, totalMs, above10ms, above100ms }) =>
      `| ${kind} | ${pauses} | ${ms(meanMs)} | ${formatted('share', totalMs / (minutes * 60_000))} | ${above10ms} | ${above100ms} |`,
  );
  return `${engine}, lane ${lane}, commit ${commit}: ${minutes} minutes of \`Generate\` at ${rate}/s, 70 % of the ${Math.round(best)}/s that a closed loop reached.
From the time at which a call was due: p50 ${ms(load.p50)}, p99 ${ms(load.p99)}, p99.9 ${ms(load.p999)}, most ${ms(load.max)}. The
generator itself sent late by ${ms(load.sentLateP99)} (p99).

| garbage collection | pauses | mean | of the time | above 10 ms | above 100 ms |
|---|---|---|---|---|---|
${pauses.join('\n')}
`;
}
