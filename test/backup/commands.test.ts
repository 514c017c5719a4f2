import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase, verifyDatabase } from '../../src/db/database.ts';
import { generate, patiently, startWriter } from '../domain/harness.ts';
import { startAppOn } from '../support/app.ts';
import { h1Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { placeOf } from '../support/place.ts';
import { openSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { all } from '../sync/index-truth.ts';

/** A database with elements 1..count and their versions, closed. */
async function database(count: number): Promise<{ file: string; env: Record<string, string> }> {
  const file = join(await temporaryFolder(), 'sequence.db');
  const opened = await openDatabase(placeOf(file));
  const { writer } = startWriter(opened.writer);
  for (let id = 1; id <= count; id++) await writer.submit(generate(id), patiently());
  await writer.close();
  await opened.close();
  return { file, env: { DATABASE_URL: `sqlite:///${file}` } };
}

const elements = async (file: string) => (await verifyDatabase(placeOf(file))).elements;

describe('backup', () => {
  test('is whole, checked, one file, and does not replace another without --force', async () => {
    const { env } = await database(5);
    const to = join(await temporaryFolder(), 'monday.db');
    expect(await cli(['backup', to], env)).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\S+: 1 sequences, 5 elements, 5 versions\nchecked; \d+ bytes\n$/),
    });
    expect(await readdir(dirname(to))).toEqual(['monday.db']);
    const before = await readFile(to);
    expect(await cli(['backup', to], env)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^\S+ is there already; use another name, or --force to replace it\n$/),
    });
    expect(await readFile(to)).toEqual(before);
    expect(await cli(['backup', to, '--force'], env)).toMatchObject({ code: 0 });
    expect(await elements(to)).toBe(5);
    expect(await readdir(dirname(to))).toEqual(['monday.db']);
  });

  test('of a damaged database is none: nothing is left, and what was there stays', async () => {
    const { file, env } = await database(5);
    await (await openSqlite(file)).run('UPDATE sequence SET size = 9');
    const to = join(await temporaryFolder(), 'monday.db');
    await writeFile(to, 'the last good one');
    const { code, stderr } = await cli(['backup', to, '--force'], env);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/breaks its promises: sequence play\/script says size 9/),
    });
    expect(await readdir(dirname(to))).toEqual(['monday.db']);
    expect(String(await readFile(to))).toBe('the last good one');
  });

  test.each([
    ['the database itself', ({ file }: { file: string }) => file, /is the database itself/],
    ['a folder that is not there', () => '/nowhere/at/all.db', /^no backup was made: .*unable to open/],
  ])('onto %s is refused', async (_what, to, message) => {
    const made = await database(2);
    const { code, stderr } = await cli(['backup', to(made), '--force'], made.env);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) });
    expect(await elements(made.file)).toBe(2);
  });
});

describe('restore', () => {
  test('puts it in place, keeps what was there, and notes a new epoch', async () => {
    const { file, env } = await database(5);
    const backup = join(await temporaryFolder(), 'monday.db');
    await cli(['backup', backup], env);
    const app = await startAppOn(file);
    for (const elementId of [6, 7])
      await h1Caller(app.port)('Generate', { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT', elementId });
    const running = await cli(['restore', backup], env);
    expect(running).toMatchObject({ code: 1, stderr: expect.stringContaining('stop it first') });
    await app.app.stop();

    const { code, stdout, stderr } = await cli(['restore', backup], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, kept] = /^what was there is kept as (.*)$/m.exec(stdout)!;
    expect(await elements(file)).toBe(5);
    expect(await elements(kept!)).toBe(7);
    const [row] = await all<{ generation: number; target: number }>(
      file,
      'SELECT r.generation, t.generation AS target FROM resync r JOIN sync_target t WHERE r.finish_time IS NULL',
    );
    expect(row!.target).toBe(row!.generation);
    expect(Math.abs(Date.now() / 1000 - row!.generation)).toBeLessThan(60);
    const names = (await readdir(dirname(file))).filter((name) => !/-(wal|shm)$/.test(name)).sort();
    expect(names).toEqual(['sequence.db', kept!.split('/').at(-1), 'sequence.db.lock'].sort());
    expect(names.join()).not.toContain('restoring');
  });

  test('where there is no database, and where it is damaged', async () => {
    const { file, env } = await database(3);
    const backup = join(await temporaryFolder(), 'monday.db');
    await cli(['backup', backup], env);
    await rename(file, `${file}.gone`);
    expect(await cli(['restore', backup], env)).toMatchObject({ code: 0, stderr: '' });
    expect(await elements(file)).toBe(3);
    await writeFile(file, 'x'.repeat(10_000));
    await writeFile(`${file}-wal`, 'y'.repeat(1_000));
    const { code, stdout } = await cli(['restore', backup], env);
    expect(code).toBe(0);
    expect(await elements(file)).toBe(3);
    const [, kept] = /^what was there is kept as (.*)$/m.exec(stdout)!;
    expect((await stat(kept!)).size).toBe(10_000);
  });

  test('of a release before is brought up to date; of one to come it is refused', async () => {
    const { file, env } = await database(3);
    const backup = join(await temporaryFolder(), 'monday.db');
    await cli(['backup', backup], env);
    await (await openSqlite(backup)).run(`UPDATE migration_release SET min_release = '99.0.0'`);
    expect(await cli(['restore', backup], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('needs release 99.0.0 or newer'),
    });
    expect(await elements(file)).toBe(3);
  });

  test.each([
    ['what is not there', undefined, /^there is no backup \S+\n$/],
    ['what is no database', 'x'.repeat(5_000), /^\S+ was not restored: .*not a database\n$/],
    ['an empty file', '', /^\S+ is no database of this service\n$/],
  ])('%s is refused, and nothing has changed', async (_what, content, message) => {
    const { file, env } = await database(3);
    const backup = join(await temporaryFolder(), 'monday.db');
    if (content !== undefined) await writeFile(backup, content);
    const { code, stderr } = await cli(['restore', backup], env);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) });
    expect(await elements(file)).toBe(3);
    expect((await readdir(dirname(file))).filter((name) => /restoring|before/.test(name))).toEqual([]);
  });

  test('a database in use is no backup', async () => {
    const { env } = await database(3);
    const other = await database(4);
    const app = await startAppOn(other.file);
    await h1Caller(app.port)('Generate', { scope: 'a', elementType: 'ELEMENT_TYPE_SCRIPT', elementId: 1 });
    expect(await cli(['restore', other.file], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is a database in use'),
    });
  });
});

test('restored notes an epoch on a database that was put in place by hand; not while a service writes it', async () => {
  const { file, env } = await database(3);
  expect(await cli(['restored'], env)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/as generation \d{10}\n$/),
  });
  expect(await all(file, 'SELECT generation FROM resync WHERE finish_time IS NULL')).toHaveLength(1);
  const app = await startAppOn(file);
  onTestFinished(async () => void (await app.app.stop()));
  expect(await cli(['restored'], env)).toMatchObject({ code: 1, stderr: expect.stringContaining('stop it') });
});
