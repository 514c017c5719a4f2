import { expect, onTestFinished, test } from 'vitest';
import { DatabaseStartError } from '../../src/db/errors.ts';
import { migrateUnderLock } from '../../src/db/migrate.ts';
import { ENGINE } from '../engines/index.ts';

test('who migrates is waited for, and not without end', async () => {
  const place = await ENGINE.emptyPlace();
  const holder = await ENGINE.connect(place);
  const source = await ENGINE.openSource(place);
  onTestFinished(async () => {
    await source.destroy();
    await holder.close();
  });
  await holder.query('SELECT pg_advisory_lock(7308604897)');
  const refused = await migrateUnderLock(source, 'auto', 100).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(DatabaseStartError);
  expect((refused as Error).message).toContain('another process has been migrating this database for 0.1 s');
  const waiting = migrateUnderLock(source, 'auto', 10_000);
  await holder.query('SELECT pg_advisory_unlock(7308604897)');
  expect(await waiting).not.toEqual([]);
  // What it sets for the wait is not left to whoever has the connection next.
  for (let connection = 0; connection < 4; connection++)
    expect(await source.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '0' }]);
});
