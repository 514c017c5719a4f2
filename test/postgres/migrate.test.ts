import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { MIGRATIONS } from '../../src/db/migrations/index.ts';
import { generate, openTestDatabase, patiently } from '../domain/harness.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { startReplica } from './replica.ts';

class Next1995478400000 {
  readonly name = 'Next1995478400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE element ADD COLUMN note text');
  }

  async down(): Promise<void> {}
}

test('a migration that waits for a long read does not have all others wait behind it', async () => {
  const db = await openTestDatabase();
  const { writer } = await startReplica(db.place);
  const reader = await ENGINE.connect(db.place);
  onTestFinished(() => reader.close());
  await writer.submit(generate(1), patiently());
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM element');

  (MIGRATIONS as unknown[]).push(Next1995478400000);
  onTestFinished(() => void MIGRATIONS.pop());
  const migrating = openDatabase({ ...placeOf(db.place), migrate: 'auto' });
  migrating.catch(() => {});
  const waits: number[] = [];
  for (let id = 2; waits.reduce((sum, wait) => sum + wait, 0) < 4_000 && id < 200; id++) {
    const sent = performance.now();
    await writer.submit(generate(id), patiently());
    await sleep(20);
    waits.push(performance.now() - sent);
  }
  // It has tried, more than once, and each time given up soon.
  expect(waits.filter((wait) => wait > 300).length).toBeGreaterThan(1);
  expect(Math.max(...waits)).toBeLessThan(2_000);
  await reader.query('COMMIT');
  const migrated = await migrating;
  await migrated.close();
  expect(migrated.migrated).toEqual(['Next1995478400000']);
  await writer.submit(generate(1_000), patiently());
  expect(await db.verify()).toEqual([]);
});
