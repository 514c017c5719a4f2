import type { Bench, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';

export const start: Scenario = {
  name: 'start',
  about: 'from the start of the process to "ready", on a database of a million elements',
  async run(bench: Bench) {
    for (const engine of ['sqlite', 'postgres'] as const) {
      const id = `start/${engine}`;
      const title = `start to ready, ${engine}, 1,000,000 elements`;
      if (!bench.engines.includes(engine)) {
        bench.record({ id, title, unit: 's', skipped: absent('PostgreSQL') });
        continue;
      }
      bench.progress.step(`${engine} with 1,000,000 elements`);
      const store = await bench.store(engine, 1_000_000);
      const value = await bench.repeat(title, async () => {
        const server = await bench.serve(store);
        await server.stop();
        return server.readyMs / 1000;
      });
      bench.record({ id, title, unit: 's', value });
    }
  },
};
