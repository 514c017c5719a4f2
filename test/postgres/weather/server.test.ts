import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectPostgres } from '../../support/postgres/databases.ts';
import { startPostgresProxy } from '../../support/postgres/proxy.ts';
import { startPostgres, startStandby } from '../../support/postgres/server.ts';
import { until } from '../../support/until.ts';
import { LIMIT_MS, LONG, live } from './harness.ts';

/** How long the database is gone. */
const GONE_MS = 1_500;

test(
  'PostgreSQL is stopped at once and started again',
  async () => {
    const server = await startPostgres({ durable: true });
    onTestFinished(() => server.stop());
    const refused = await live({
      url: server.url(),
      place: () => server.url(),
      async blow() {
        for (let turn = 0; turn < (LONG ? 12 : 2); turn++) {
          await server.crash();
          await sleep(Math.random() * GONE_MS);
          await server.restart();
          if (LONG) await sleep(2_000);
        }
      },
    });
    expect(total(refused)).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

test(
  'a primary with a synchronous standby is killed, and the standby promoted',
  async () => {
    const primary = await startPostgres({ durable: true });
    onTestFinished(() => primary.stop());
    const proxy = await startPostgresProxy(primary.url());
    const servers = [primary];
    const refused = await live({
      url: proxy.url(primary.url()),
      place: () => servers.at(-1)!.url(),
      async blow() {
        for (let turn = 0; turn < (LONG ? 4 : 1); turn++) {
          const old = servers.at(-1)!;
          const standby = await startStandby(old);
          onTestFinished(() => standby.stop());
          servers.push(standby);
          await waitFor(old.url());
          await sleep(1_000);
          await old.crash();
          await standby.promote();
          proxy.point(standby.url());
        }
      },
    });
    expect(total(refused)).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

/** Has a server wait for its standby at each commit, from the moment on when that has caught up. */
async function waitFor(url: string): Promise<void> {
  const connection = await connectPostgres(url);
  try {
    await connection.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
    await connection.query('SELECT pg_reload_conf()');
    await until('the standby is synchronous', async () => {
      const rows = await connection.query<{ sync_state: string }>(
        'SELECT sync_state FROM pg_stat_replication',
      );
      return rows.some(({ sync_state }) => sync_state === 'sync');
    });
  } finally {
    await connection.close();
  }
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
