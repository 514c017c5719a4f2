import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { sequenceClient } from '../support/clients.ts';
import { urlOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { AT, converged, databaseFile, KINDS, startIndex } from './harness.ts';

const CALL_TIMEOUT_MS = 200;

test.each(KINDS)('%s: stopped past the lease with a call under way, and continued', async (kind) => {
  const { double, env } = await startIndex(kind);
  const file = await databaseFile();
  const { child, url, ended } = await startService({
    env: {
      ...(env as Record<string, string>),
      DATABASE_URL: urlOf(file),
      SYNC_CALL_TIMEOUT: `${CALL_TIMEOUT_MS}ms`,
      SYNC_SETTLE: '1s',
      SYNC_CONCURRENCY: '2',
    },
  });
  const client = sequenceClient(url);
  const items = Array.from({ length: 40 }, (_, index) => ({ elementId: BigInt(index + 1) }));
  await client.batchGenerate({ ...AT, items });
  await converged(file, double);

  // Applied when the client has given up, which it does only after it has been continued.
  double.faults.always({ kind: 'hang', apply: 'on-close', lateMs: 100 });
  await client.reorder({ ...AT, newOrder: items.map(({ elementId }) => elementId).toReversed() });
  await until('a call is under way', () => double.log.inFlight > 0);
  child.kill('SIGSTOP');
  await sleep(CALL_TIMEOUT_MS * 4);
  const calls = double.log.total;
  await sleep(100);
  expect(double.log.total).toBe(calls);
  double.faults.clear();
  child.kill('SIGCONT');
  await client.move({ ...AT, elementId: 7n, target: { case: 'first', value: true } });
  await converged(file, double, 20_000);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});
