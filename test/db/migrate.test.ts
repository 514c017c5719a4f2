import type { QueryRunner } from 'typeorm';
import { expect, onTestFinished, test, vi } from 'vitest';
import { checkMigrations, openDatabase } from '../../src/db/database.ts';
import { DatabaseStartError } from '../../src/db/errors.ts';
import { migrate } from '../../src/db/migrate.ts';
import { MIGRATIONS } from '../../src/db/migrations/index.ts';
import { isNewerRelease, RELEASE } from '../../src/util/release.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';

const NAMES = MIGRATIONS.map((Migration) => new Migration().name);

/** Opens and closes a database; the migrations that were applied. */
async function opened(place: string, mode: 'auto' | 'check'): Promise<readonly string[]> {
  const database = await openDatabase({ ...placeOf(place), migrate: mode });
  await database.close();
  return database.migrated;
}

async function change(place: string, ...statements: string[]): Promise<void> {
  const source = await ENGINE.openSource(place);
  try {
    for (const statement of statements) await source.query(statement);
  } finally {
    await source.destroy();
  }
}

test.each(['auto', 'check'] as const)('an empty database is created (%s)', async (mode) => {
  const place = await ENGINE.emptyPlace();
  expect(await opened(place, mode)).toEqual(NAMES);
  expect(await checkMigrations(placeOf(place))).toEqual([]);
  expect(await opened(place, mode)).toEqual([]);
});

test('a database whose creation was interrupted is still an empty one', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  // TypeORM creates its own table before, and outside of, the first migration's transaction.
  const rest = [
    'version',
    'element',
    'change',
    'dirty_document',
    'sync_target',
    'resync',
    'migration_release',
  ];
  await change(place, ...rest.map((table) => `DROP TABLE "${table}"`), 'DROP TABLE sequence');
  await change(place, 'DELETE FROM migration');
  expect(await opened(place, 'check')).toEqual(NAMES);
});

test('pending migrations are refused by check, and applied by auto', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  const source = await ENGINE.openSource(place);
  onTestFinished(() => source.destroy());
  let runs = 0;
  source.migrations.push({
    name: 'Next1895478400000',
    up: async (runner: QueryRunner) => {
      runs += 1;
      await runner.query('CREATE TABLE next (id integer)');
    },
    down: async () => {},
  });
  const refusal = await migrate(source, 'check').catch((error) => error);
  expect(refusal).toBeInstanceOf(DatabaseStartError);
  expect(refusal.message).toContain('lacks 1 migration(s): Next1895478400000; run "cli migrate"');
  expect(runs).toBe(0);
  expect(await migrate(source, 'auto')).toEqual(['Next1895478400000']);
  expect(await migrate(source, 'check')).toEqual([]);
  expect(runs).toBe(1);
});

test('a migration that fails leaves nothing of itself', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  const source = await ENGINE.openSource(place);
  onTestFinished(() => source.destroy());
  source.migrations.push({
    name: 'Broken1895478400000',
    up: async (runner: QueryRunner) => {
      await runner.query('CREATE TABLE half (id integer)');
      await runner.query('NOT SQL');
    },
    down: async () => {},
  });
  const written = vi.spyOn(console, 'log');
  onTestFinished(() => written.mockRestore());
  await expect(migrate(source, 'auto')).rejects.toThrow(/syntax error/);
  // Standard output is the log's, a JSON object a line; the error says it all.
  expect(written).not.toHaveBeenCalled();
  expect(await ENGINE.tables(place)).not.toContain('half');
  expect(await source.query('SELECT name FROM migration')).toEqual(NAMES.map((name) => ({ name })));
});

test('a schema that needs a newer release is refused; one of a newer migration that does not, is not', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  await change(
    place,
    `INSERT INTO migration ("timestamp", name) VALUES (1995478400000, 'Future1995478400000')`,
    `INSERT INTO migration_release VALUES ('Future1995478400000', '${RELEASE}')`,
  );
  expect(await opened(place, 'check')).toEqual([]);
  await change(place, `UPDATE migration_release SET min_release = '99.0.0' WHERE name LIKE 'Future%'`);
  for (const mode of ['check', 'auto'] as const) {
    const refusal = await opened(place, mode).catch((error) => error);
    expect(refusal).toBeInstanceOf(DatabaseStartError);
    expect(refusal.message).toBe(
      `the database was migrated by Future1995478400000, which needs release 99.0.0 or newer; this is ${RELEASE}`,
    );
  }
  // The refused one has closed what it had opened.
  await change(place, `DELETE FROM migration_release WHERE name LIKE 'Future%'`);
  expect(await opened(place, 'auto')).toEqual([]);
});

test('every migration says which release its schema needs, and this one is new enough', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  const source = await ENGINE.openSource(place);
  onTestFinished(() => source.destroy());
  const rows = await source.query('SELECT name, min_release AS release FROM migration_release ORDER BY name');
  expect(rows.map(({ name }: { name: string }) => name)).toEqual(NAMES);
  for (const { release } of rows) expect(isNewerRelease(release, RELEASE)).toBe(false);
});

test.each([
  ['1.0.0', '0.9.9', true],
  ['0.10.0', '0.9.0', true],
  ['0.1.10', '0.1.9', true],
  ['0.1.0', '0.1.0', false],
  ['0.9.9', '1.0.0', false],
  ['0.1.9', '0.1.10', false],
])('release %s newer than %s: %s', (a, b, newer) => {
  expect(isNewerRelease(a, b)).toBe(newer);
});

test('the entities and the migrated schema agree', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  const source = await ENGINE.openSource(place);
  onTestFinished(() => source.destroy());
  const { upQueries } = await source.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
});

test('every migration can be undone', async () => {
  const place = await ENGINE.emptyPlace();
  await opened(place, 'auto');
  const source = await ENGINE.openSource(place);
  onTestFinished(() => source.destroy());
  for (const _ of NAMES) await source.undoLastMigration();
  expect(await ENGINE.tables(place)).toEqual(['migration']);
});
