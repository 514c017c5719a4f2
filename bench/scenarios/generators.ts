import type { Bench, Scenario, ServiceSide } from '../bench.ts';
import { HAS_H2LOAD } from '../load/load.ts';

/** Whether the bench's own generator measures what a known one does. */
export const generators: Scenario = {
  name: 'generators',
  about: "the bench's own gRPC generator ÷ h2load, on the empty RPC",
  async run(bench: Bench) {
    const id = 'generators/frames-by-h2load';
    const title = 'own generator ÷ h2load, empty RPC, grpc, 64 callers';
    if (!HAS_H2LOAD) return bench.record({ id, title, unit: 'ratio', skipped: 'h2load is not installed' });
    const server = await bench.server();
    const side: ServiceSide = {
      label: 'Health/Check',
      server,
      load: { call: 'empty', wire: 'grpc', callers: 64 },
    };
    const by = (generator: 'frames' | 'h2load') => ({
      label: 'Health/Check',
      generator,
      run: (seconds: number) => bench.run(generator, side, seconds),
    });
    await bench.compare(id, title, [by('frames'), by('h2load')]);
  },
};
