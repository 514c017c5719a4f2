// The service for a long time in bad weather: npm run soak -- --minutes 30 --engine sqlite
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TypesenseDouble } from '../../test/support/typesense/typesense-double.ts';
import { chartOf } from './chart.ts';
import { Fleet } from './fleet.ts';
import { Load } from './load.ts';
import { growth, record, type Series } from './samples.ts';
import { compareAll } from './truth.ts';
import { type Blow, flap, strike } from './weather.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    engine: { type: 'string', default: 'sqlite' },
    /** Of writes, all authors together. */
    rate: { type: 'string', default: '150' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    out: { type: 'string', default: join(ROOT, 'docs/soak') },
  },
});
const { engine } = values;
const endMs = Number(values.minutes) * 60_000;
/** On one process, the weather strikes it in the first third only: what is flat can only be seen of one that lives. */
const STRUCK_SHARE = 1 / 3;
const CONVERGE_LIMIT_MS = 120_000;
const COLUMNS = ['at', 'start', 'rssMiB', 'heapMiB', 'descriptors', 'handles', 'dirty'] as const;
const BOUNDS = { share: 1.15, mib: 20, descriptors: 8, handles: 8 };
/** Before, the process is still growing to the size at which V8 collects what is old. */
const MEMORY_TELLS_AFTER_SECONDS = 600;

if (engine !== 'sqlite' && engine !== 'postgres') throw new Error('--engine is sqlite or postgres');
if (!(endMs >= 60_000)) throw new Error('--minutes is 1 or more');
const folder = mkdtempSync(join(tmpdir(), 'sequence-soak-'));
const databaseUrl =
  engine === 'sqlite' ? `sqlite:///${join(folder, 'sequence.db')}` : process.env['DATABASE_URL'];
if (databaseUrl === undefined)
  throw new Error('--engine postgres needs DATABASE_URL=postgres://…, of an empty database');

const random = seeded(Number(values.seed));
const double = new TypesenseDouble();
double.server.keeps = 'nothing';
await double.server.open();
const env = {
  DATABASE_URL: databaseUrl,
  TYPESENSE_URL: double.url,
  TYPESENSE_API_KEY: double.apiKey,
  SYNC_CALL_TIMEOUT: '2s',
  SYNC_SETTLE: '5s',
};
const fleet = new Fleet(engine === 'sqlite' ? 1 : 3, env);
process.on('exit', () => fleet.killAll());
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
for (const replica of fleet.replicas) await fleet.start(replica);

const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;
const load = new Load(fleet, { authors: 24, writesPerSecond: Number(values.rate), random });
const over = new AbortController();
const sampled = new AbortController();
const [steady] = fleet.replicas;
const victims = () =>
  engine === 'sqlite' && seconds() * 1000 > endMs * STRUCK_SHARE
    ? []
    : fleet.replicas.filter((replica) => engine === 'sqlite' || replica !== steady);
const recording = record(fleet, seconds, progress, sampled.signal);
const weather = Promise.all([
  strike(fleet, { victims, everyMs: Math.min(30_000, endMs / 12), random, seconds }, over.signal),
  flap(double, random, over.signal),
]);
const writing = load.run();
// A broken promise ends the run at once.
await Promise.race([sleep(endMs), writing, weather]);
over.abort();
const [blows] = await weather;
load.stop();
await writing;
const writtenSeconds = seconds();
const convergedMs = await converge();
sampled.abort();
const series = await recording;
const compared = await compareAll(fleet, load.ledgers, double);
await fleet.endAll();
const verified = spawnSync(process.execPath, [join(ROOT, 'src/cli.ts'), 'verify'], {
  env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl },
  encoding: 'utf8',
});
await double.server.stop();
rmSync(folder, { recursive: true });

const grown = growth(series, writtenSeconds);
const failures = [
  ...(verified.status === 0 ? [] : [`verify: ${verified.stdout}${verified.stderr}`]),
  ...(['rssMiB', 'heapMiB'] as const).flatMap((name) => {
    const [first, last] = grown[name];
    const bound = Math.max(first * BOUNDS.share, first + BOUNDS.mib);
    const tells = grown.seconds >= MEMORY_TELLS_AFTER_SECONDS;
    return tells && last > bound ? [`${name} grew from ${first} to ${last}`] : [];
  }),
  ...(['descriptors', 'handles'] as const).flatMap((name) => {
    const [first, last] = grown[name];
    return last > first + BOUNDS[name] ? [`${name} grew from ${first} to ${last}`] : [];
  }),
];
write(series, blows);
for (const failure of failures) console.error(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Resolves when every replica says that nothing is dirty and no resync runs. */
async function converge(): Promise<number> {
  const started = performance.now();
  for (;;) {
    const url = await fleet.url(0);
    const page = await (await fetch(`${url}/metrics`)).text();
    const is = (name: string, value: number) => new RegExp(`^${name} ${value}$`, 'm').test(page);
    if (is('sequence_sync_dirty_documents', 0) && is('sequence_sync_resync_progress_ratio', 1))
      return performance.now() - started;
    if (performance.now() - started > CONVERGE_LIMIT_MS) throw new Error('the index has not converged');
    await sleep(500);
  }
}

function progress(): void {
  process.stderr.write(
    `\r\x1b[K${seconds().toFixed(0)} s: ${load.answered} writes answered, ${load.sessions} clients`,
  );
}

function write(samples: Series, struck: readonly Blow[]): void {
  process.stderr.write('\r\x1b[K');
  mkdirSync(values.out, { recursive: true });
  const summary = {
    date: new Date().toISOString(),
    machine: `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`,
    engine,
    minutes: Number(values.minutes),
    seed: Number(values.seed),
    writes: load.answered,
    writesPerSecond: Math.round(load.answered / writtenSeconds),
    repeatedRequests: load.repeated,
    clients: load.sessions,
    refused: Object.fromEntries([...load.refused].sort()),
    blows: struck,
    errorLines: Object.fromEntries([...fleet.complaints].sort()),
    convergedSeconds: Math.round(convergedMs / 100) / 10,
    ...compared,
    grown,
    failures,
  };
  console.log(JSON.stringify(summary, null, 2));
  const rows = Object.entries(samples).map(([replica, list]) => ({
    replica,
    columns: COLUMNS,
    rows: list.map((one) => COLUMNS.map((column) => one[column])),
  }));
  const text = JSON.stringify({ ...summary, samples: rows });
  writeFileSync(join(values.out, `${engine}.json`), `${text}\n`);
  const title = `${engine}, ${values.minutes} minutes: ${load.answered} writes, ${struck.length} times killed or stopped (dotted)`;
  writeFileSync(join(values.out, `${engine}.svg`), chartOf(title, samples, struck));
}

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
