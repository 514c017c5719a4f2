import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ENGINE } from '../../engines/index.ts';
import { startPostgresProxy } from '../../support/postgres/proxy.ts';
import { LIMIT_MS, LONG, live, STORM_MS } from './harness.ts';

test(
  'backends are ended by pg_terminate_backend',
  async () => {
    const url = await ENGINE.newPlace();
    const connection = await ENGINE.connect(url);
    onTestFinished(() => connection.close());
    let ended = 0;
    await live({
      url,
      place: () => url,
      async blow() {
        const end = performance.now() + STORM_MS;
        while (performance.now() < end) {
          const rows = await connection.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5`,
          );
          ended += rows.length;
          await sleep(100 + Math.random() * 300);
        }
      },
    });
    expect(ended).toBeGreaterThan(10);
  },
  LIMIT_MS,
);

test(
  'connections break at the commit: it happens late, or never',
  async () => {
    const place = await ENGINE.newPlace();
    const proxy = await startPostgresProxy(place);
    let cut = 0;
    await live({
      url: proxy.url(place),
      place: () => place,
      async blow() {
        const end = performance.now() + STORM_MS;
        while (performance.now() < end) {
          cut += 1;
          proxy.cutCommit(cut % 2 === 0 ? { lateMs: 150 } : { lostMs: 150 });
          await sleep(20 + Math.random() * 100);
        }
      },
    });
    expect(cut).toBeGreaterThan(10);
  },
  LIMIT_MS,
);

test(
  'the socket to the database hangs, then resets',
  async () => {
    const place = await ENGINE.newPlace();
    const proxy = await startPostgresProxy(place);
    const refused = await live({
      url: proxy.url(place),
      place: () => place,
      // The server is to end what the dead connections hold soon after.
      env: { DATABASE_STATEMENT_TIMEOUT: '2s' },
      async blow() {
        for (let turn = 0; turn < (LONG ? 6 : 1); turn++) {
          proxy.hang();
          await sleep(3_000);
          proxy.reset();
          if (LONG) await sleep(4_000);
        }
      },
    });
    expect([...refused.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

test(
  'a statement that takes long holds every connection up',
  async () => {
    const url = await ENGINE.newPlace();
    const connection = await ENGINE.connect(url);
    onTestFinished(() => connection.close());
    const refused = await live({
      url,
      place: () => url,
      env: { DATABASE_LOCK_TIMEOUT: '1s', DATABASE_STATEMENT_TIMEOUT: '1s' },
      async blow() {
        for (let turn = 0; turn < (LONG ? 6 : 1); turn++) {
          await connection.query('BEGIN');
          await connection.query('LOCK TABLE element IN ACCESS EXCLUSIVE MODE');
          await connection.query('SELECT pg_sleep(4)');
          await connection.query('COMMIT');
          if (LONG) await sleep(4_000);
        }
      },
    });
    expect([...refused.keys()].filter((key) => key.startsWith('deadline_exceeded'))).not.toEqual([]);
  },
  LIMIT_MS,
);
