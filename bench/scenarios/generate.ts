import type { Bench, Scenario } from '../bench.ts';

const CASES = [
  ['json', 64],
  ['json', 256],
  ['grpc', 64],
] as const;

export const generate: Scenario = {
  name: 'generate',
  about: 'durable Generate ÷ an RPC that does nothing, in the same process, stock adapter',
  async run(bench: Bench) {
    const server = await bench.server();
    for (const [wire, callers] of CASES)
      await bench.compare(
        `generate/${wire}/${callers}`,
        `Generate ÷ empty RPC, ${wire}, ${callers} callers`,
        [
          { label: 'Generate', server, load: { call: 'generate', wire, callers } },
          { label: 'Health/Check', server, load: { call: 'empty', wire, callers } },
        ],
      );
  },
};
