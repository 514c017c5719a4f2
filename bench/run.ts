import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../gen/fountain/sequence/v1/sync_pb.js';
import { bareRate, holds, serviceRate, startIndex, TYPESENSE_MICROS } from './index-target.ts';
import { type LoadOptions, type LoadResult, runLoad } from './load.ts';
import { type BenchServer, PLACEMENT, startServer } from './server.ts';

/** One side of a comparison. */
interface Side {
  readonly label: string;
  readonly server: BenchServer;
  readonly load: Pick<LoadOptions, 'call' | 'wire' | 'callers'>;
}

/** A comparison that a scenario makes: its ratio is the first side's throughput by the second's. */
interface Comparison {
  readonly title: string;
  readonly sides: readonly [Side, Side];
}

interface Row {
  title: string;
  sides: { label: string; perSecond: number; p50: number; p99: number }[];
  ratio: { median: number; low: number; high: number };
}

const SCENARIOS: Readonly<Record<string, (run: Runner) => Promise<void>>> = {
  /** Durable Generate by an RPC that does nothing, in the same process. */
  async generate(run) {
    const server = await startServer(1_000);
    for (const wire of ['connect-json', 'grpc'] as const)
      await run.compare({
        title: `Generate / empty RPC, ${wire}, 64 callers`,
        sides: [
          { label: 'Generate', server, load: { call: 'generate', wire, callers: 64 } },
          { label: 'Health/Check', server, load: { call: 'empty', wire, callers: 64 } },
        ],
      });
    await server.stop();
  },

  /** Generate into a sequence of a million by Generate into one of a thousand. */
  async size(run) {
    const [large, small] = [await startServer(1_000_000), await startServer(1_000)];
    const load = { call: 'generate', wire: 'connect-json', callers: 64 } as const;
    await run.compare({
      title: 'Generate at 1,000,000 / at 1,000 elements, connect-json, 64 callers',
      sides: [
        { label: '1,000,000 elements', server: large, load },
        { label: '1,000 elements', server: small, load },
      ],
    });
    await large.stop();
    await small.stop();
  },

  /** Documents sent by the same sent with the bare HTTP client; commit to indexed; a Reorder until indexed. */
  async index(run) {
    for (const [kind, micros] of [
      ['typesense', 0],
      ['typesense', TYPESENSE_MICROS],
      ['typesense-client', 0],
    ] as const) {
      const count = kind === 'typesense' ? 100_000 : 20_000;
      const pace = micros === 0 ? '' : ` that takes ${micros} us a document, as recorded`;
      const cpu: string[] = [];
      await run.rates(`documents/s to ${kind}${pace} / bare client`, async () => {
        const index = await startIndex(kind, micros);
        const [ours, bare] = [await serviceRate(index, count), await bareRate(index, count)];
        await index.stop();
        cpu.push(`${ours.cpuMicros.toFixed(1)} by ${bare.cpuMicros.toFixed(1)}`);
        return [ours.perSecond, bare.perSecond];
      });
      run.note(`  CPU microseconds a document, round by round: ${cpu.slice(1).join('; ')}`);
    }
    const index = await startIndex('typesense');
    const server = await startServer(10_000, index.env);
    const { sequences, sync } = clientsOf(server.url);
    const at = { scope: 'bench', elementType: ElementType.SCRIPT };
    await holds(index, 10_000);
    run.note(
      `commit to indexed, idle: ${await timed(200, async (i) => {
        const { revision } = await sequences.generate({ ...at, elementId: BigInt(20_000 + i) });
        await sync.waitForSync({ ...at, revision });
      })} (the Generate included)`,
    );
    const order = Array.from({ length: 10_000 }, (_, i) => BigInt(i + 1));
    run.note(
      `Reorder of 10,000 until indexed: ${await timed(3, async () => {
        const { revision } = await sequences.reorder({ ...at, newOrder: order.reverse() });
        await sync.waitForSync({ ...at, revision }, { timeoutMs: 60_000 });
      })}`,
    );
    await server.stop();
    await index.stop();
  },

  /** A million documents sent anew, and what a caller sees of it. */
  async resync(run) {
    const index = await startIndex('typesense');
    const server = await startServer(1_000_000, index.env);
    const { sequences, sync } = clientsOf(server.url);
    const at = { scope: 'other', elementType: ElementType.SCRIPT };
    let id = 0n;
    const generate = async () => {
      id += 1n;
      await sequences.generate({ ...at, elementId: id });
    };
    await holds(index, 1_000_000);
    run.note(`Generate, quiet: ${await timed(500, generate)}`);
    await sync.resync({});
    const started = performance.now();
    run.note(`Generate during the resync: ${await timed(500, generate)}`);
    while ((await sync.getSyncStatus({})).resync !== undefined) await sleep(200);
    const seconds = (performance.now() - started) / 1000;
    run.note(
      `resync of 1,000,000 documents: ${seconds.toFixed(0)} s, ${(1e6 / seconds).toFixed(0)} documents/s`,
    );
    await server.stop();
    await index.stop();
  },
};

function clientsOf(url: string) {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '1.1' });
  return { sequences: createClient(SequenceService, transport), sync: createClient(SyncService, transport) };
}

/** Percentiles of what `action` takes, in milliseconds. */
async function timed(times: number, action: (index: number) => Promise<void>): Promise<string> {
  const taken: number[] = [];
  for (let index = 0; index < times; index++) {
    const started = performance.now();
    await action(index);
    taken.push(performance.now() - started);
  }
  taken.sort((a, b) => a - b);
  const at = (share: number) =>
    taken[Math.min(taken.length - 1, Math.floor(taken.length * share))]!.toFixed(1);
  return `median ${at(0.5)} ms   p99 ${at(0.99)} ms`;
}

class Runner {
  readonly rows: Row[] = [];
  readonly notes: string[] = [];
  readonly #rounds: number;
  readonly #seconds: number;
  #firstId = 10_000_000;

  constructor(rounds: number, seconds: number) {
    this.#rounds = rounds;
    this.#seconds = seconds;
  }

  /** Prints a figure that is no ratio. */
  note(text: string): void {
    this.notes.push(text);
    console.log(text);
  }

  /** Alternates two rates that one measurement gives, after a round that does not count. */
  async rates(title: string, measure: () => Promise<[number, number]>): Promise<void> {
    const ratios: number[] = [];
    const last: [number, number][] = [];
    for (let round = 0; round <= this.#rounds; round++) {
      process.stderr.write(`\r\x1b[K${title}: round ${round} of ${this.#rounds}`);
      const rates = await measure();
      if (round === 0) continue;
      ratios.push(rates[0] / rates[1]);
      last.push(rates);
    }
    process.stderr.write('\r\x1b[K');
    const ours = median(last.map(([rate]) => rate));
    const bare = median(last.map(([, rate]) => rate));
    this.note(
      `${title}: ${ours.toFixed(0)}/s by ${bare.toFixed(0)}/s, ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    );
  }

  /** Alternates the sides, after one round that warms up and does not count. */
  async compare({ title, sides }: Comparison): Promise<void> {
    const results: [LoadResult[], LoadResult[]] = [[], []];
    for (let round = 0; round <= this.#rounds; round++)
      for (const [index, side] of sides.entries()) {
        process.stderr.write(`\r\x1b[K${title}: round ${round} of ${this.#rounds}, ${side.label}`);
        this.#firstId += 10_000_000;
        const { url } = side.server;
        const seconds = this.#seconds;
        const result = await runLoad({ ...side.load, url, seconds, firstId: this.#firstId });
        if (round > 0) results[index]!.push(result);
      }
    process.stderr.write('\r\x1b[K');
    const ratios = results[0].map((result, round) => result.perSecond / results[1][round]!.perSecond);
    this.rows.push({
      title,
      sides: sides.map(({ label }, index) => ({ label, ...medians(results[index]!) })),
      ratio: { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) },
    });
    print(this.rows.at(-1)!);
  }
}

function print({ title, sides, ratio }: Row): void {
  console.log(title);
  for (const { label, perSecond, p50, p99 } of sides)
    console.log(
      `  ${label.padEnd(20)} ${perSecond.toFixed(0).padStart(7)}/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms`,
    );
  console.log(`  ratio ${ratio.median.toFixed(2)}  (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function medians(results: readonly LoadResult[]): Omit<LoadResult, 'failed'> {
  const of = (pick: (result: LoadResult) => number) => median(results.map(pick));
  return { perSecond: of((r) => r.perSecond), p50: of((r) => r.p50), p99: of((r) => r.p99) };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
});
const unknown = positionals.filter((name) => !(name in SCENARIOS));
if (unknown.length > 0) {
  console.error(`no scenario ${unknown.join(', ')}; there are: ${Object.keys(SCENARIOS).join(', ')}`);
  process.exit(2);
}
const machine = `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}; ${PLACEMENT}`;
console.log(machine);
const runner = new Runner(Number(values.rounds), Number(values.seconds));
for (const name of positionals.length > 0 ? positionals : Object.keys(SCENARIOS))
  await SCENARIOS[name]!(runner);
const results = new URL('results/', import.meta.url);
mkdirSync(results, { recursive: true });
const date = new Date().toISOString();
writeFileSync(
  new URL(`${date.slice(0, 10)}.json`, results),
  `${JSON.stringify({ date, machine, rows: runner.rows, notes: runner.notes }, null, 2)}\n`,
);
