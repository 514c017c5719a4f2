import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { figureOf, percentile, ratios } from '../arithmetic.ts';
import type { Bench, Scenario } from '../bench.ts';
import { within } from '../children.ts';
import {
  bareRate,
  holds,
  type IndexRate,
  serviceRate,
  startIndex,
  TYPESENSE_MICROS,
} from '../index-target.ts';
import { SCOPE } from '../stores.ts';

const at = { scope: SCOPE, elementType: ElementType.SCRIPT };

export const sends: Scenario = {
  name: 'sends',
  about: 'documents a second to each kind of index ÷ the bare client; from a commit until it is indexed',
  async run(bench: Bench) {
    for (const [id, kind, count, micros] of [
      ['typesense', 'typesense', 100_000, 0],
      ['typesense-paced', 'typesense', 100_000, TYPESENSE_MICROS],
      ['typesense-client', 'typesense-client', 20_000, 0],
    ] as const) {
      const pace = micros > 0 ? ` that takes ${micros} µs of each` : '';
      const title = `documents to ${kind}${pace} ÷ by the bare client`;
      const rates = { service: [] as IndexRate[], bare: [] as IndexRate[] };
      await bench.repeat(title, async (round) => {
        const index = await startIndex(kind, micros);
        try {
          const start = () => bench.server({ elements: count, env: index.env });
          const service = await serviceRate(index, count, start);
          const bare = await bareRate(index, count);
          if (round > 0) {
            rates.service.push(service);
            rates.bare.push(bare);
          }
          return service.perSecond;
        } finally {
          await index.stop();
        }
      });
      for (const [side, what] of [
        ['service', 'by the service'],
        ['bare', 'by the bare client'],
      ] as const) {
        bench.record({
          id: `sends/${id}/${side}`,
          title: `documents to ${kind}${pace} ${what}`,
          unit: 'per second',
          value: figureOf(rates[side].map(({ perSecond }) => perSecond)),
        });
        bench.record({
          id: `sends/${id}/${side}/cpu`,
          title: `CPU of a document to ${kind}${pace} ${what}`,
          unit: 'microseconds',
          value: figureOf(rates[side].map(({ cpuMicros }) => cpuMicros)),
        });
      }
      const perSecond = (side: 'service' | 'bare') => rates[side].map((rate) => rate.perSecond);
      bench.record({
        id: `sends/${id}`,
        title,
        unit: 'ratio',
        value: ratios(perSecond('service'), perSecond('bare')),
      });
    }
    await untilIndexed(bench);
  },
};

async function untilIndexed(bench: Bench): Promise<void> {
  const index = await startIndex('typesense');
  bench.onEnd(() => index.stop());
  const server = await bench.server({ elements: 10_000, env: index.env });
  const { sequences, sync } = clientsOf(server.url);
  await holds(index, 10_000);
  const generate = await times(200, async (i) => {
    const { revision } = await sequences.generate({ ...at, elementId: BigInt(20_000 + i) });
    await sync.waitForSync({ ...at, revision });
  });
  record(bench, 'sends/until-indexed/generate', 'Generate until it is indexed, idle', generate);
  const order = Array.from({ length: 10_000 }, (_, i) => BigInt(i + 1));
  const reorder = await times(3, async () => {
    const { revision } = await sequences.reorder({ ...at, newOrder: order.reverse() });
    await sync.waitForSync({ ...at, revision }, { timeoutMs: 60_000 });
  });
  record(bench, 'sends/until-indexed/reorder', 'Reorder of 10,000 until it is indexed', reorder);
}

export const resync: Scenario = {
  name: 'resync',
  about: 'a million documents sent anew, and what a caller sees of it',
  onlyByName: true,
  async run(bench: Bench) {
    const count = 1_000_000;
    const index = await startIndex('typesense');
    bench.onEnd(() => index.stop());
    const server = await bench.server({ elements: count, env: index.env });
    const { sequences, sync } = clientsOf(server.url);
    let id = 0n;
    const generate = async () => {
      id += 1n;
      await sequences.generate({ ...at, scope: 'other', elementId: id });
    };
    bench.progress.step('sending a million documents for the first time');
    await holds(index, count);
    record(bench, 'resync/generate/quiet', 'Generate, quiet', await times(500, generate));
    await sync.resync({});
    const started = performance.now();
    record(bench, 'resync/generate/during', 'Generate during the resync', await times(500, generate));
    const over = async () => {
      while ((await sync.getSyncStatus({})).resync !== undefined) await sleep(200);
    };
    await within(10 * 60_000, 'the resync', over());
    const seconds = (performance.now() - started) / 1000;
    bench.record({
      id: 'resync/rate',
      title: 'resync of 1,000,000 documents',
      unit: 'per second',
      value: figureOf([count / seconds]),
    });
  },
};

function clientsOf(url: string) {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '1.1' });
  return { sequences: createClient(SequenceService, transport), sync: createClient(SyncService, transport) };
}

async function times(count: number, action: (index: number) => Promise<void>): Promise<number[]> {
  const taken: number[] = [];
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    await action(index);
    taken.push(performance.now() - started);
  }
  return taken;
}

function record(bench: Bench, id: string, title: string, taken: readonly number[]): void {
  for (const [name, share] of [
    ['median', 0.5],
    ['p99', 0.99],
  ] as const)
    bench.record({
      id: `${id}/${name}`,
      title: `${title}: ${name} of ${taken.length}`,
      unit: 'ms',
      value: figureOf([percentile(taken, share)]),
    });
}
