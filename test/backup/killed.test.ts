import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openDatabase, verifyDatabase } from '../../src/db/database.ts';
import { batchGenerate, patiently, startWriter } from '../domain/harness.ts';
import { cli, startSource } from '../support/command.ts';
import { placeOf } from '../support/place.ts';
import { temporaryFolder } from '../support/temporary.ts';

const KILLS = process.env['LONG'] === '1' ? 40 : 8;

/** A database with so many thousand elements, closed. */
async function database(thousands: number): Promise<string> {
  const file = join(await temporaryFolder(), 'sequence.db');
  const opened = await openDatabase(placeOf(file));
  const { writer } = startWriter(opened.writer);
  for (let done = 0; done < thousands; done++) {
    const ids = Array.from({ length: 1_000 }, (_, index) => done * 1_000 + index + 1);
    await writer.submit(batchGenerate(ids), patiently());
  }
  await writer.close();
  await opened.close();
  return file;
}

const elements = async (file: string) => {
  const { elements: count, violations } = await verifyDatabase(placeOf(file));
  expect(violations).toEqual([]);
  return count;
};

/** How long a command takes when it is let be, and the instants at which to kill it. */
async function instants(run: () => Promise<unknown>): Promise<number[]> {
  const started = performance.now();
  await run();
  const whole = performance.now() - started;
  return Array.from({ length: KILLS }, (_, index) => (whole * (index + 1)) / (KILLS + 1));
}

test('a backup that is killed leaves no file of its name, and the older one as it was', async () => {
  const file = await database(20);
  const env = { DATABASE_URL: `sqlite:///${file}` };
  const folder = await temporaryFolder();
  const older = join(folder, 'older.db');
  for (const afterMs of await instants(() => cli(['backup', older], env))) {
    const fresh = join(folder, `fresh-${Math.round(afterMs)}.db`);
    for (const args of [
      ['backup', fresh],
      ['backup', older, '--force'],
    ]) {
      const { child, ended } = await startSource('cli.ts', { args, env });
      await sleep(afterMs);
      child.kill('SIGKILL');
      await ended;
    }
    expect(await elements(older)).toBe(20_000);
    // Whole, where it was faster than the kill.
    if ((await stat(fresh).catch(() => undefined)) !== undefined) expect(await elements(fresh)).toBe(20_000);
  }
}, 120_000);

test('a restore that is killed leaves the old database or the restored one, whole', async () => {
  const backup = join(await temporaryFolder(), 'backup.db');
  await cli(['backup', backup], { DATABASE_URL: `sqlite:///${await database(20)}` });
  const file = await database(3);
  const env = { DATABASE_URL: `sqlite:///${file}` };
  const old = join(await temporaryFolder(), 'old.db');
  await cli(['backup', old], env);
  for (const afterMs of await instants(() => cli(['restore', backup], env))) {
    expect(await cli(['restore', old], env)).toMatchObject({ code: 0 });
    const { child, ended } = await startSource('cli.ts', { args: ['restore', backup], env });
    await sleep(afterMs);
    child.kill('SIGKILL');
    await ended;
    expect([3_000, 20_000]).toContain(await elements(file));
    const opened = await openDatabase({ ...placeOf(file), migrate: 'check' });
    await opened.close();
  }
  expect((await readdir(dirname(file))).filter((name) => name.includes('.before-')).length).toBeGreaterThan(
    0,
  );
}, 120_000);
