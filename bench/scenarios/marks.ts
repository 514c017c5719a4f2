import { figureOf } from '../arithmetic.ts';
import type { Bench, Scenario } from '../bench.ts';
import { runRaw } from '../raw/run.ts';

const BATCH = 64;

/**
 * The service has no switch that leaves marks out, so the bare driver tells what a mark costs, and the service's
 * throughput what that is of a whole Generate.
 */
export const marks: Scenario = {
  name: 'marks',
  about: 'what the dirty row in the same transaction costs: bare driver with and without, and of a Generate',
  async run(bench: Bench) {
    const files = { with: await bench.store('sqlite', 1_000), without: await bench.store('sqlite', 1_000) };
    const server = await bench.server();
    const perRow = async (which: 'with' | 'without') => {
      const options = { file: files[which].name, marks: which === 'with', batch: BATCH, seconds: 1 };
      return (await runRaw<{ microseconds: number }>('marks.ts', options)).microseconds;
    };
    const load = { call: 'generate', wire: 'json', callers: BATCH } as const;
    const side = { label: 'Generate', server, load };
    const bare: { with: number; without: number }[] = [];
    const value = await bench.repeat('marks', async (round) => {
      const without = await perRow('without');
      const marked = await perRow('with');
      if (round > 0) bare.push({ with: marked, without });
      const { perSecond } = await bench.run(bench.generatorOf(load), side, bench.seconds);
      return (marked - without) / (1e6 / perSecond);
    });
    for (const [which, title] of [
      ['without', `a row by the bare driver, batches of ${BATCH}, without its mark`],
      ['with', `a row by the bare driver, batches of ${BATCH}, with its mark`],
    ] as const)
      bench.record({
        id: `marks/driver/${which}`,
        title,
        unit: 'microseconds',
        value: figureOf(bare.map((each) => each[which])),
      });
    bench.record({
      id: 'marks/of-a-generate',
      title: 'the mark, of the whole cost of a Generate at 64 callers',
      unit: 'share',
      value,
    });
  },
};
