import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../arithmetic.ts';
import { benchFolder, outputOf } from '../children.ts';
import type { LoadResult } from '../load/load.ts';
import type { BenchPostgres } from '../postgres.ts';
import { onCores } from '../server.ts';
import { SINGLE_ROW, TABLES } from './pg-single-row.ts';

const PGBENCH = ['/usr/bin/pgbench', '/usr/lib/postgresql/15/bin/pgbench'].find(existsSync) ?? 'pgbench';
export const HAS_PGBENCH = spawnSync(PGBENCH, ['--version']).status === 0;

/** Its time includes the making of the connections, which its rate leaves out. */
const CONNECTING_SECONDS = 1;

/** Makes a database with the tables of the single-row transaction. */
export async function prepareSingleRow(postgres: BenchPostgres, database: string): Promise<void> {
  await postgres.query(TABLES, database);
}

/** The single-row transaction by pgbench: so many connections, each with one transaction in flight. */
export async function runPgbench(
  postgres: BenchPostgres,
  database: string,
  connections: number,
  seconds: number,
): Promise<LoadResult> {
  const folder = benchFolder();
  try {
    const script = join(folder.path, 'transaction.sql');
    writeFileSync(script, `${SINGLE_ROW};\n`);
    const { hostname, port, username, password } = new URL(postgres.url(database));
    const [command, args] = onCores(1, PGBENCH, [
      ...[
        '-n',
        '-M',
        'prepared',
        '-j',
        '1',
        '-c',
        String(connections),
        '-T',
        String(seconds + CONNECTING_SECONDS),
      ],
      ...['-f', script, '-l', '-h', hostname, '-p', port, '-U', username, database],
    ]);
    const env = { PATH: process.env['PATH'], PGPASSWORD: password };
    const output = await outputOf(command, args, {
      limitMs: seconds * 1000 + 60_000,
      cwd: folder.path,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(output);
    if (tps === null) throw new Error(`pgbench says: ${output}`);
    return { perSecond: Number(tps[1]), ...latencies(folder.path) };
  } finally {
    folder.remove();
  }
}

/** From the log of transactions, whose third column is the microseconds of each. */
function latencies(folder: string): Pick<LoadResult, 'calls' | 'p50' | 'p99'> {
  const log = readdirSync(folder).find((name) => name.startsWith('pgbench_log'))!;
  const taken = readFileSync(join(folder, log), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[2]) / 1000);
  return { calls: taken.length, p50: percentile(taken, 0.5), p99: percentile(taken, 0.99) };
}
