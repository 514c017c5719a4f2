import { figureOf } from '../arithmetic.ts';
import { type Bench, ratioOf, type Scenario, sideOf } from '../bench.ts';
import { absent } from '../capabilities.ts';

/** The unary lane by connect-node's adapter as it comes. */
export const lane: Scenario = {
  name: 'lane',
  about: "the unary lane ÷ connect-node's adapter: empty RPC, durable Generate, and how even its latency is",
  async run(bench: Bench) {
    if (!bench.capabilities.variable('LANE')) {
      for (const [id, title] of titles()) bench.record({ id, title, unit: 'ratio', skipped: absent('LANE') });
      return;
    }
    const fast = await bench.server({ lane: 'on' });
    for (const wire of ['json', 'grpc'] as const) {
      const stock = await bench.stockAdapter(wire);
      const [stockEmpty, laneEmpty, laneGenerate] = await bench.measure(`lane, ${wire}`, [
        {
          label: "Health/Check, connect-node's adapter",
          server: stock,
          load: { call: 'empty', wire, callers: 64 },
        },
        { label: 'Health/Check, lane', server: fast, load: { call: 'empty', wire, callers: 64 } },
        { label: 'Generate, lane', server: fast, load: { call: 'generate', wire, callers: 64 } },
      ]);
      const title = new Map(titles());
      for (const [id, above] of [
        [`lane/empty/${wire}`, laneEmpty],
        [`lane/generate/${wire}`, laneGenerate],
      ] as const)
        bench.record(ratioOf(id, title.get(id)!, above!, stockEmpty!));
      if (wire === 'grpc') continue;
      const id = 'lane/generate/json/p99-by-p50';
      bench.record({
        id,
        title: title.get(id)!,
        unit: 'ratio',
        value: figureOf(laneGenerate!.results.map(({ p99, p50 }) => p99 / p50)),
        sides: [sideOf(laneGenerate!)],
      });
    }
  },
};

function titles(): [id: string, title: string][] {
  return [
    ['lane/empty/json', 'lane: empty RPC ÷ stock empty RPC, json, 64 callers'],
    ['lane/generate/json', 'lane: Generate ÷ stock empty RPC, json, 64 callers'],
    ['lane/generate/json/p99-by-p50', 'lane: p99 of Generate ÷ its p50, json, 64 callers'],
    ['lane/empty/grpc', 'lane: empty RPC ÷ stock empty RPC, grpc, 64 callers'],
    ['lane/generate/grpc', 'lane: Generate ÷ stock empty RPC, grpc, 64 callers'],
  ];
}
