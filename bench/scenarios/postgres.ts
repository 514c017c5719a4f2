import type { Bench, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';
import type { LoadResult } from '../load/load.ts';
import { HAS_PGBENCH, prepareSingleRow, runPgbench } from '../raw/pgbench.ts';
import { runRaw } from '../raw/run.ts';

export const postgres: Scenario = {
  name: 'postgres',
  about: "durable Generate on PostgreSQL ÷ pgbench's single-row transaction, as many connections as callers",
  async run(bench: Bench) {
    for (const callers of [16, 64]) {
      const id = `postgres/pgbench/${callers}`;
      const title = `Generate on PostgreSQL ÷ single-row transactions, json, ${callers} callers`;
      if (!bench.capabilities.postgres) {
        bench.record({ id, title, unit: 'ratio', skipped: absent('PostgreSQL') });
        continue;
      }
      const server = await bench.server({ engine: 'postgres' });
      const single = await bench.store('postgres', 0);
      const database = await bench.stores.postgres();
      await prepareSingleRow(database, single.name);
      const run = (seconds: number) =>
        HAS_PGBENCH
          ? runPgbench(database, single.name, callers, seconds)
          : runRaw<LoadResult>('pg-driver.ts', { url: single.url, connections: callers, seconds });
      const bare = {
        label: 'single-row transaction',
        generator: HAS_PGBENCH ? 'pgbench' : 'pg',
        run,
      } as const;
      const load = { call: 'generate', wire: 'json', callers } as const;
      await bench.compare(id, title, [{ label: 'Generate', server, load }, bare]);
      const lane = await bench.server({ engine: 'postgres', lane: 'on' });
      const through = `Generate on PostgreSQL, through the lane ÷ single-row transactions, json, ${callers} callers`;
      await bench.compare(`postgres/lane/${callers}`, through, [
        { label: 'Generate, lane', server: lane, load },
        bare,
      ]);
    }
  },
};
