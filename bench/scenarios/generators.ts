import type { Bench, Scenario, ServiceSide } from '../bench.ts';
import { HAS_H2LOAD } from '../load/load.ts';

/** Whether the bench's own generator measures what a known one does; with the lane, where the service is fastest. */
export const generators: Scenario = {
  name: 'generators',
  about: "the bench's own gRPC generator ÷ h2load, on the empty RPC",
  async run(bench: Bench) {
    for (const lane of bench.capabilities.variable('LANE') ? (['off', 'on'] as const) : (['off'] as const)) {
      const adapter = lane === 'on' ? 'lane' : 'stock';
      const id = `generators/${adapter}`;
      const title = `own generator ÷ h2load, empty RPC, ${adapter}, grpc, 64 callers`;
      if (!HAS_H2LOAD) {
        bench.record({ id, title, unit: 'ratio', skipped: 'h2load is not installed' });
        continue;
      }
      const load = { call: 'empty', wire: 'grpc', callers: 64 } as const;
      const side: ServiceSide = { label: 'Health/Check', server: await bench.server({ lane }), load };
      const by = (generator: 'frames' | 'h2load') => ({
        label: side.label,
        generator,
        run: (seconds: number) => bench.run(generator, side, seconds),
      });
      await bench.compare(id, title, [by('frames'), by('h2load')]);
    }
  },
};
