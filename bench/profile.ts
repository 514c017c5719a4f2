import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bench } from './bench.ts';
import { askCapabilities } from './capabilities.ts';
import { type CpuProfile, selfTimes } from './cpu-profile.ts';
import { CALLS, type CallName } from './load/calls.ts';
import { count, oneOf } from './options.ts';
import { Progress } from './progress.ts';
import { RESULTS } from './results.ts';
import { Stores } from './stores.ts';
import { formatted } from './table.ts';

const USAGE = `npm run bench:profile -- [options]

  --call NAME      ${Object.keys(CALLS).join(', ')} (default generate)
  --wire W         json or grpc (default json)
  --engine E       sqlite or postgres (default sqlite)
  --lane L         on or off, where the build has it (default off)
  --callers N      (default 64)
  --seconds N      (default 10)
  --elements N     of the sequence (default 1000)
`;
const TOP = 20;
const WARM_UP_SECONDS = 2;
const ROOT = new URL('..', import.meta.url).pathname;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  const { call, wire, engine, lane, callers, seconds, elements } = options;
  const stores = new Stores();
  const progress = new Progress();
  const bench = new Bench({ capabilities: askCapabilities(), stores, progress, rounds: 1, seconds });
  try {
    mkdirSync(RESULTS, { recursive: true });
    const store = await bench.store(engine, elements);
    const before = new Set(readdirSync(RESULTS));
    const flags = ['--cpu-prof', `--cpu-prof-dir=${RESULTS}`, '--cpu-prof-interval=250'];
    const started = performance.now();
    const server = await bench.serve(store, { lane, flags });
    const side = { label: call, server, load: { call, wire, callers, elements } };
    const generator = bench.generatorOf(side.load);
    progress.step(`${call}: warm-up`);
    await bench.run(generator, side, WARM_UP_SECONDS);
    progress.step(`${call} for ${seconds} s`);
    const fromMs = performance.now() - started;
    const result = await bench.run(generator, side, seconds);
    const window = { fromMs, toMs: performance.now() - started };
    await server.stop();
    const written = readdirSync(RESULTS).find((name) => name.endsWith('.cpuprofile') && !before.has(name))!;
    const file = join(
      RESULTS,
      `${call}-${wire}-${engine}-${new Date().toISOString().slice(0, 19)}.cpuprofile`,
    );
    renameSync(join(RESULTS, written), file);
    progress.clear();
    const { busy, idle } = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, ROOT, window);
    console.log(
      `${call}, ${wire}, ${engine}, ${callers} callers: ${formatted('per second', result.perSecond)} under the profiler`,
    );
    console.log(
      `self time of the main thread under load; ${formatted('share', idle)} of the time it was idle\n`,
    );
    for (const { name, place, share } of busy.slice(0, TOP))
      console.log(`${formatted('share', share).padStart(7)}  ${name.padEnd(40)} ${place}`);
    console.log(`\n${file}`);
    return 0;
  } finally {
    await bench.close();
    await stores.close();
  }
}

function parse() {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      call: text('generate'),
      wire: text('json'),
      engine: text('sqlite'),
      lane: text('off'),
      callers: text('64'),
      seconds: text('10'),
      elements: text('1000'),
    },
  });
  return {
    call: oneOf('call', values.call, Object.keys(CALLS) as CallName[]),
    wire: oneOf('wire', values.wire, ['json', 'grpc'] as const),
    engine: oneOf('engine', values.engine, ['sqlite', 'postgres'] as const),
    lane: oneOf('lane', values.lane, ['on', 'off'] as const),
    callers: count('callers', values.callers, 256),
    seconds: count('seconds', values.seconds, 600),
    elements: count('elements', values.elements, 1_000_000),
  };
}
