import { type Bench, ratioOf, type Scenario } from '../bench.ts';

const CASES = [
  ['json', 64],
  ['json', 256],
  ['grpc', 64],
] as const;

export const generate: Scenario = {
  name: 'generate',
  about:
    "durable Generate without the lane ÷ an RPC that does nothing, in the same process; and in connect-node's",
  async run(bench: Bench) {
    const server = await bench.server();
    for (const [wire, callers] of CASES) {
      const stock = await bench.stockAdapter(wire);
      const of = `${wire}, ${callers} callers`;
      const [durable, empty, stockEmpty] = await bench.measure(`Generate, ${of}`, [
        { label: 'Generate, lane off', server, load: { call: 'generate', wire, callers } },
        { label: 'Health/Check, lane off', server, load: { call: 'empty', wire, callers } },
        {
          label: "Health/Check, connect-node's adapter",
          server: stock,
          load: { call: 'empty', wire, callers },
        },
      ]);
      bench.record(ratioOf(`generate/${wire}/${callers}`, `Generate ÷ empty RPC, ${of}`, durable!, empty!));
      bench.record(
        ratioOf(
          `generate/${wire}/${callers}/stock`,
          `Generate ÷ empty RPC of connect-node, ${of}`,
          durable!,
          stockEmpty!,
        ),
      );
    }
  },
};
