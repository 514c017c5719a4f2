import { mean } from '../arithmetic.ts';
import type { Bench, OwnSide, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';
import type { LoadResult } from '../load/load.ts';
import type { BenchServer } from '../server.ts';

const CALLERS = 256;

export const replicas: Scenario = {
  name: 'replicas',
  about: 'two replicas on one PostgreSQL ÷ one, 256 callers: one hot sequence, and 64; nothing pinned',
  async run(bench: Bench) {
    for (const [id, sequences, what] of [
      ['replicas/one-sequence', 1, 'one sequence'],
      ['replicas/64-sequences', 64, '64 sequences'],
    ] as const) {
      const title = `two replicas ÷ one, on ${what}, json, ${CALLERS} callers`;
      if (!bench.capabilities.postgres) {
        bench.record({ id, title, unit: 'ratio', skipped: absent('PostgreSQL') });
        continue;
      }
      const store = await bench.store('postgres', 1_000);
      const first = await bench.serve(store, { cores: 'any' });
      const second = await bench.serve(store, { cores: 'any' });
      await bench.compare(id, title, [
        loaded(bench, 'two replicas', [first, second], sequences),
        loaded(bench, 'one replica', [first], sequences),
      ]);
      // The next pair is not to be slowed by these.
      await Promise.all([first.stop(), second.stop()]);
    }
  },
};

/** The callers shared out among servers. */
function loaded(bench: Bench, label: string, servers: readonly BenchServer[], sequences: number): OwnSide {
  const callers = CALLERS / servers.length;
  const load = { call: 'generate', wire: 'json', callers, sequences, cores: 'any' } as const;
  const generator = bench.generatorOf(load);
  return {
    label,
    generator,
    run: async (seconds) =>
      together(
        await Promise.all(servers.map((server) => bench.run(generator, { label, server, load }, seconds))),
      ),
  };
}

/** What several generators saw at the same time; of the slowest calls the slower ones. */
function together(results: readonly LoadResult[]): LoadResult {
  const sum = (pick: (result: LoadResult) => number) =>
    results.reduce((total, result) => total + pick(result), 0);
  return {
    calls: sum(({ calls }) => calls),
    perSecond: sum(({ perSecond }) => perSecond),
    p50: mean(results.map(({ p50 }) => p50)),
    p99: Math.max(...results.map(({ p99 }) => p99)),
  };
}
