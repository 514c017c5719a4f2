import { create, toBinary } from '@bufbuild/protobuf';
import { ElementType, ReorderRequestSchema } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { figureOf, median, ratios } from '../arithmetic.ts';
import { type Bench, type Scenario, sideOf } from '../bench.ts';
import { absent } from '../capabilities.ts';
import { callOnce } from '../load/once.ts';
import { runRaw } from '../raw/run.ts';
import { shuffled } from '../raw/shuffled.ts';
import { type EngineName, SCOPE } from '../stores.ts';

const ELEMENTS = 10_000;
/** Reorders of one side in a round; the round's value is their median. */
const TIMES = 5;

export const reorder: Scenario = {
  name: 'reorder',
  about: 'Reorder of 10,000 ÷ its bare SQL; p99 of an empty RPC during reorders ÷ quiet',
  async run(bench: Bench) {
    for (const engine of ['sqlite', 'postgres'] as const) await againstSql(bench, engine);
    await others(bench);
  },
};

async function againstSql(bench: Bench, engine: EngineName): Promise<void> {
  const id = `reorder/${engine}`;
  const title = `Reorder of 10,000 through the RPC ÷ its SQL by the bare driver, ${engine}`;
  if (!bench.engines.includes(engine))
    return bench.record({ id, title, unit: 'ratio', skipped: absent('PostgreSQL') });
  const server = await bench.server({ engine, elements: ELEMENTS });
  const bare = await bench.store(engine, ELEMENTS);
  const raw = async (marks: boolean) => {
    const options = { file: bare.name, url: bare.url, elements: ELEMENTS, times: TIMES, marks };
    return median(await runRaw<number[]>(`reorder-${engine}.ts`, options));
  };
  const measured = { rpc: [] as number[], sql: [] as number[], renumbering: [] as number[] };
  await bench.repeat(title, async (round) => {
    const taken: number[] = [];
    for (let time = 0; time < TIMES; time++) taken.push(await callOnce(server.url, 'Reorder', request()));
    const [rpc, sql, renumbering] = [median(taken), await raw(true), await raw(false)];
    if (round > 0) {
      measured.rpc.push(rpc);
      measured.sql.push(sql);
      measured.renumbering.push(renumbering);
    }
    return rpc;
  });
  for (const [side, what] of [
    ['rpc', 'through the RPC'],
    ['sql', 'by the bare driver, with marks'],
    ['renumbering', 'by the bare driver, without marks'],
  ] as const)
    bench.record({
      id: `reorder/${engine}/${side}`,
      title: `Reorder of 10,000 ${what}, ${engine}`,
      unit: 'ms',
      value: figureOf(measured[side]),
    });
  bench.record({ id, title, unit: 'ratio', value: ratios(measured.rpc, measured.sql) });
}

async function others(bench: Bench): Promise<void> {
  const server = await bench.server({ elements: ELEMENTS, cores: 'any' });
  const load = { call: 'empty', wire: 'json', callers: 64 } as const;
  const run = (seconds: number) => bench.run(bench.generatorOf(load), { label: '', server, load }, seconds);
  const requests = Array.from({ length: 20 }, request);
  const [quiet, during] = await bench.measure('empty RPC during reorders', [
    { label: 'Health/Check, quiet', generator: bench.generatorOf(load), run },
    {
      label: 'Health/Check, during reorders',
      generator: bench.generatorOf(load),
      async run(seconds) {
        let stopped = false;
        const reordering = (async () => {
          for (let time = 0; !stopped; time++)
            await callOnce(server.url, 'Reorder', requests[time % requests.length]!);
        })();
        try {
          // A reorder that fails ends the measurement at once.
          const first = await Promise.race([run(seconds), reordering.then(() => undefined)]);
          return first!;
        } finally {
          stopped = true;
          await reordering;
        }
      },
    },
  ]);
  bench.record({
    id: 'reorder/others-p99',
    title: 'p99 of an empty RPC during reorders of 10,000 ÷ quiet, two cores, 64 callers',
    unit: 'ratio',
    value: ratios(during!.p99.values, quiet!.p99.values),
    sides: [sideOf(during!), sideOf(quiet!)],
  });
}

function request(): Uint8Array {
  const newOrder = shuffled(ELEMENTS).map(BigInt);
  const message = { scope: SCOPE, elementType: ElementType.SCRIPT, newOrder };
  return toBinary(ReorderRequestSchema, create(ReorderRequestSchema, message));
}
