import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
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
};

class Runner {
  readonly rows: Row[] = [];
  readonly #rounds: number;
  readonly #seconds: number;
  #firstId = 10_000_000;

  constructor(rounds: number, seconds: number) {
    this.#rounds = rounds;
    this.#seconds = seconds;
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
  `${JSON.stringify({ date, machine, rows: runner.rows }, null, 2)}\n`,
);
