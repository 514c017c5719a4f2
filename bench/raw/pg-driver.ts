import { Pool } from 'pg';
import { percentile } from '../arithmetic.ts';
import { SINGLE_ROW } from './pg-single-row.ts';

// The single-row transaction by the bare pg driver, where pgbench is not installed.
const { url, connections, seconds } = JSON.parse(process.argv[2]!) as {
  url: string;
  connections: number;
  seconds: number;
};
const pool = new Pool({ connectionString: url, max: connections });
const taken: number[] = [];
const started = performance.now();
const until = started + seconds * 1000;
await Promise.all(
  Array.from({ length: connections }, async () => {
    const client = await pool.connect();
    while (performance.now() < until) {
      const sent = performance.now();
      await client.query({ name: 'single-row', text: SINGLE_ROW });
      taken.push(performance.now() - sent);
    }
    client.release();
  }),
);
const perSecond = taken.length / ((performance.now() - started) / 1000);
await pool.end();
process.stdout.write(
  JSON.stringify({
    calls: taken.length,
    perSecond,
    p50: percentile(taken, 0.5),
    p99: percentile(taken, 0.99),
  }),
);
