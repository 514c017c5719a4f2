import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { Bench, USUAL_ELEMENTS } from './bench.ts';
import { askCapabilities } from './capabilities.ts';
import { gcPauses } from './gc-pauses.ts';
import { runOpenLoad } from './load/open-loop.ts';
import { commitOf, machineOf } from './machine.ts';
import { count, oneOf } from './options.ts';
import { Progress } from './progress.ts';
import { residentMB } from './resident.ts';
import { RESULTS } from './results.ts';
import type { SoakResult } from './steady-result.ts';
import { SCOPE, Stores } from './stores.ts';
import { formatted } from './table.ts';

const USAGE = `npm run bench:soak -- [options]

  --engine E    sqlite or postgres (default sqlite)
  --minutes N   (default 5)
  --lane L      on or off, where the build has it (default off)
`;
const SHARE = 0.7;
const BEST_SECONDS = 5;
const CONNECTIONS = 256;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  const stores = new Stores();
  const progress = new Progress();
  const seconds = options.minutes * 60;
  const bench = new Bench({ capabilities: askCapabilities(), stores, progress, rounds: 1, seconds });
  try {
    const result = await soak(bench, progress, options);
    progress.clear();
    report(result);
    mkdirSync(RESULTS, { recursive: true });
    const file = join(RESULTS, `soak-${result.engine}-${result.at.slice(0, 10)}.json`);
    writeFileSync(file, `${JSON.stringify(result)}\n`);
    console.log(file);
    return 0;
  } finally {
    progress.clear();
    await bench.close();
    await stores.close();
  }
}

async function soak(
  bench: Bench,
  progress: Progress,
  options: ReturnType<typeof parse>,
): Promise<SoakResult> {
  const { engine, minutes, lane } = options;
  const server = await bench.server({ engine, lane });
  let best = 0;
  // The first run warms up.
  for (const callers of [64, 64, 256]) {
    progress.step(`the best throughput, ${callers} callers`);
    const load = { call: 'generate', wire: 'json', callers } as const;
    const run = await bench.run(bench.generatorOf(load), { label: '', server, load }, BEST_SECONDS);
    best = Math.max(best, run.perSecond);
  }
  const rate = Math.floor(best * SHARE);
  const resident: { second: number; megabytes: number }[] = [];
  const before = await metricsPage(server.url);
  const started = performance.now();
  const timer = setInterval(() => {
    const second = Math.round((performance.now() - started) / 1000);
    resident.push({ second, megabytes: residentMB(server.pid) });
    progress.step(
      `${rate}/s, ${second} of ${minutes * 60} s, ${formatted('MB', resident.at(-1)!.megabytes)}`,
    );
  }, 1000);
  try {
    const load = await runOpenLoad({
      url: server.url,
      call: 'generate',
      rate,
      seconds: minutes * 60,
      connections: CONNECTIONS,
      // PostgreSQL works on this core too.
      spin: engine === 'sqlite',
      numbers: { scope: SCOPE, sequences: 1, elements: USUAL_ELEMENTS, firstId: bench.freshIds() },
    });
    return {
      at: new Date().toISOString(),
      commit: commitOf(),
      machine: machineOf(),
      engine,
      lane: bench.capabilities.variable('LANE') ? lane : 'off',
      minutes,
      best,
      rate,
      load,
      gc: gcPauses(before, await metricsPage(server.url)),
      resident,
    };
  } finally {
    clearInterval(timer);
  }
}

function report({ engine, minutes, rate, best, load, gc, resident }: SoakResult): void {
  const ms = (value: number) => formatted('ms', value);
  const sizes = resident.map(({ megabytes }) => megabytes);
  console.log(
    `${engine}, ${minutes} min of Generate at ${rate}/s, ${SHARE * 100} % of ${Math.round(best)}/s; latencies from the time at which a call was due`,
  );
  console.log(
    `p50 ${ms(load.p50)}   p99 ${ms(load.p99)}   p99.9 ${ms(load.p999)}   most ${ms(load.max)}   (${load.calls} calls; p99 of the generator's own lateness ${ms(load.sentLateP99)})`,
  );
  for (const { kind, pauses, meanMs, totalMs, above10ms, above100ms } of gc)
    console.log(
      `gc ${kind.padEnd(12)} ${String(pauses).padStart(7)} pauses   mean ${ms(meanMs)}   ${formatted('share', totalMs / (minutes * 60_000))} of the time   ${above10ms} above 10 ms, ${above100ms} above 100 ms`,
    );
  console.log(
    `RSS ${formatted('MB', sizes[0]!)} at first, ${formatted('MB', sizes.at(-1)!)} at last, ${formatted('MB', Math.max(...sizes))} at most`,
  );
}

async function metricsPage(url: string): Promise<string> {
  const { body } = await request(`${url}/metrics`);
  return await body.text();
}

function parse() {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: { engine: text('sqlite'), minutes: text('5'), lane: text('off') },
  });
  return {
    engine: oneOf('engine', values.engine, ['sqlite', 'postgres'] as const),
    minutes: count('minutes', values.minutes, 120),
    lane: oneOf('lane', values.lane, ['on', 'off'] as const),
  };
}
