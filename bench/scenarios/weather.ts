import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { answers } from '../../test/support/typesense/faults.ts';
import { TypesenseDouble } from '../../test/support/typesense/typesense-double.ts';
import { figureOf, percentile, ratios } from '../arithmetic.ts';
import type { Bench, Scenario } from '../bench.ts';
import { residentMB } from '../resident.ts';

const CALLERS = 8;
const CALLS = 1_000;
const DIRTY = 100_000;
const WATCH_MS = 8_000;
const AT = { scope: 'weather', elementType: ElementType.SCRIPT };

const WEATHER: Readonly<Record<string, (double: TypesenseDouble) => unknown>> = {
  refused: (double) => double.server.refuse(),
  hanging: (double) => double.faults.always({ kind: 'hang' }),
  '503': (double) => double.faults.always(answers.notReady()),
};

export const weather: Scenario = {
  name: 'weather',
  about:
    'what callers see while the search index is away: the median of Generate, and memory with 100,000 dirty',
  async run(bench: Bench) {
    for (const [name, begin] of Object.entries(WEATHER)) await under(bench, name, begin);
  },
};

async function under(bench: Bench, name: string, begin: (double: TypesenseDouble) => unknown): Promise<void> {
  const double = new TypesenseDouble();
  double.server.keeps = 'nothing';
  await double.server.open();
  bench.onEnd(() => double.server.stop());
  const server = await bench.server({
    env: { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: 'typesense-key' },
  });
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: '1.1' });
  const sequences = createClient(SequenceService, transport);
  const sync = createClient(SyncService, transport);
  const fair = async () => {
    double.faults.clear();
    await double.server.open();
    while ((await sync.getSyncStatus({})).dirty > 0n) await sleep(200);
  };
  let id = 0;
  const median = async () => {
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
    return percentile(taken, 0.5);
  };

  const title = `Generate's median while the index is ${name} ÷ quiet, ${CALLERS} callers`;
  const quiet: number[] = [];
  const outage = { values: [] as number[] };
  await bench.repeat(title, async (round) => {
    await fair();
    const before = await median();
    await begin(double);
    await sleep(200);
    const during = await median();
    if (round > 0) {
      quiet.push(before);
      outage.values.push(during);
    }
    return during;
  });
  bench.record({ id: `weather/${name}`, title, unit: 'ratio', value: ratios(outage.values, quiet) });

  // Still away: what becomes dirty now stays so.
  for (let written = 0; written < DIRTY; written += 1_000) {
    const items = Array.from({ length: 1_000 }, () => ({ elementId: BigInt(++id) }));
    await sequences.batchGenerate({ ...AT, items });
  }
  const resident: number[] = [];
  for (const until = performance.now() + WATCH_MS; performance.now() < until; await sleep(200))
    resident.push(residentMB(server.pid));
  bench.record({
    id: `weather/${name}/memory`,
    title: `RSS with 100,000 dirty documents while the index is ${name}, for ${WATCH_MS / 1000} s`,
    unit: 'MB',
    value: figureOf(resident),
  });
  await fair();
}
