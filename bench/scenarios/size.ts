import type { Bench, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';

const load = { call: 'generate', wire: 'json', callers: 64 } as const;

export const size: Scenario = {
  name: 'size',
  about: 'Generate into a sequence of a million ÷ into one of a thousand',
  async run(bench: Bench) {
    for (const engine of ['sqlite', 'postgres'] as const) {
      const id = `size/${engine}`;
      const title = `Generate at 1,000,000 ÷ at 1,000 elements, ${engine}, json, 64 callers`;
      if (!bench.engines.includes(engine)) {
        bench.record({ id, title, unit: 'ratio', skipped: absent('PostgreSQL') });
        continue;
      }
      const large = await bench.server({ engine, elements: 1_000_000 });
      const small = await bench.server({ engine, elements: 1_000 });
      await bench.compare(id, title, [
        { label: 'at 1,000,000', server: large, load },
        { label: 'at 1,000', server: small, load },
      ]);
    }
  },
};
