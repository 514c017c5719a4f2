import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../gen/fountain/sequence/v1/sync_pb.js';
import { answers } from '../test/support/typesense/faults.ts';
import { TypesenseDouble } from '../test/support/typesense/typesense-double.ts';
import { startServer } from './server.ts';

// What callers see while the search index is away: Generate's median in rounds that alternate between quiet and
// outage, in one process, and its memory while 100,000 documents become dirty.
// node bench/weather.ts [rounds] [calls a round] [kind of weather]

const ROUNDS = Number(process.argv[2] ?? 5);
const CALLS = Number(process.argv[3] ?? 1_000);
const CALLERS = 8;
const DIRTY = 100_000;
const AT = { scope: 'weather', elementType: ElementType.SCRIPT };

const WEATHER: Readonly<Record<string, (double: TypesenseDouble) => unknown>> = {
  refused: (double) => double.server.refuse(),
  hanging: (double) => double.faults.always({ kind: 'hang' }),
  '503': (double) => double.faults.always(answers.notReady()),
};

async function fair(double: TypesenseDouble): Promise<void> {
  double.faults.clear();
  await double.server.open();
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const megabytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

for (const [name, begin] of Object.entries(WEATHER)) {
  if (name !== (process.argv[4] ?? name)) continue;
  const double = new TypesenseDouble();
  double.server.keeps = 'nothing';
  await double.server.open();
  const env = { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: 'typesense-key' };
  const server = await startServer(1_000, env);
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' });
  const sequences = createClient(SequenceService, transport);
  const sync = createClient(SyncService, transport);
  let id = 0;
  const settled = async () => {
    while ((await sync.getSyncStatus({})).dirty > 0n) await sleep(200);
  };
  /** The median of what a Generate takes, milliseconds. */
  const round = async () => {
    const taken: number[] = [];
    const last = id + CALLS;
    const caller = async () => {
      while (id < last) {
        const elementId = BigInt(++id);
        const started = performance.now();
        await sequences.generate({ ...AT, elementId });
        taken.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    return median(taken);
  };
  await settled();
  await round();
  const quiet: number[] = [];
  const outage: number[] = [];
  for (let count = 0; count < ROUNDS; count++) {
    quiet.push(await round());
    await begin(double);
    await sleep(200);
    outage.push(await round());
    await fair(double);
    await settled();
  }
  const ratios = outage.map((ms, index) => ms / quiet[index]!);
  console.log(
    `${name}: Generate, ${CALLERS} callers, median of ${ROUNDS} rounds: quiet ${median(quiet).toFixed(2)} ms, outage ${median(outage).toFixed(2)} ms; outage / quiet ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
  );

  const before = megabytes(server.pid);
  await begin(double);
  for (let written = 0; written < DIRTY; written += 1_000) {
    const items = Array.from({ length: 1_000 }, () => ({ elementId: BigInt(++id) }));
    await sequences.batchGenerate({ ...AT, items });
  }
  const written = megabytes(server.pid);
  const during: number[] = [];
  for (let sample = 0; sample < 40; sample++) {
    during.push(megabytes(server.pid));
    await sleep(200);
  }
  await fair(double);
  const after: number[] = [];
  while ((await sync.getSyncStatus({})).dirty > 0n) {
    after.push(megabytes(server.pid));
    await sleep(50);
  }
  console.log(
    `${name}: RSS ${before.toFixed(0)} MB before; ${written.toFixed(0)} MB with ${DIRTY} dirty documents, ${Math.min(...during).toFixed(0)} to ${Math.max(...during).toFixed(0)} MB in the 8 s after; ${Math.max(...after, megabytes(server.pid)).toFixed(0)} MB at most until all were sent`,
  );
  await server.stop();
  await double.server.stop();
}
