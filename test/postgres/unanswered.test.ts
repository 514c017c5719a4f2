import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { startPostgresProxy } from '../support/postgres/proxy.ts';

const STATEMENT_TIMEOUT_MS = 500;
/** What this end waits beyond the server. */
const GRACE_MS = 2_000;

test('a reader whose server gives no answer has its connection cut, and another serves after it', async () => {
  const place = await ENGINE.newPlace();
  const proxy = await startPostgresProxy(place);
  const database = await openDatabase({
    ...placeOf(proxy.url(place)),
    readers: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  onTestFinished(() => database.close());
  const { reads } = database;
  for (let round = 0; round < 2; round++) {
    await reads.getSequence('a', 'script');
    proxy.hang();
    const start = performance.now();
    const failure = await reads.getSequence('a', 'script').catch((error: unknown) => error);
    const waited = performance.now() - start;
    proxy.reset();
    expect(failure).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('no answer') });
    expect(waited).toBeGreaterThan(STATEMENT_TIMEOUT_MS + GRACE_MS - 50);
    expect(waited).toBeLessThan(2 * (STATEMENT_TIMEOUT_MS + GRACE_MS));
  }
  expect(await reads.getSequence('a', 'script')).toBeUndefined();
});
