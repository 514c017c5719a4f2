import type { Bench, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';
import { residentMB } from '../resident.ts';

const SAMPLE_MS = 100;

export const memory: Scenario = {
  name: 'memory',
  about: 'the most memory that a service holds under load, as it ships: 64 callers, a million elements',
  async run(bench: Bench) {
    for (const engine of ['sqlite', 'postgres'] as const) {
      const id = `memory/${engine}`;
      const title = `most RSS under load, ${engine}, 64 callers, 1,000,000 elements`;
      if (!bench.engines.includes(engine)) {
        bench.record({ id, title, unit: 'MB', skipped: absent('PostgreSQL') });
        continue;
      }
      const elements = 1_000_000;
      const server = await bench.server({ engine, elements, lane: 'on' });
      const value = await bench.repeat(title, async () => {
        let most = 0;
        const timer = setInterval(() => {
          most = Math.max(most, residentMB(server.pid));
        }, SAMPLE_MS);
        try {
          for (const call of ['generate', 'getElement', 'listElements'] as const) {
            const load = { call, wire: 'json', callers: 64, elements } as const;
            await bench.run(bench.generatorOf(load), { label: call, server, load }, bench.seconds);
          }
        } finally {
          clearInterval(timer);
        }
        return most;
      });
      bench.record({ id, title, unit: 'MB', value });
    }
  },
};
