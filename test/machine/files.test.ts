import { execFileSync } from 'node:child_process';
import { copyFile, readdir, readlink, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase, verifyDatabase } from '../../src/db/database.ts';
import { generate, patiently, settled, startWriter } from '../domain/harness.ts';
import { type RunningApp, startApp, startAppOn } from '../support/app.ts';
import { type Answer, type Caller, get, h1Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { capturedLog } from '../support/log-lines.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { placeOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { openSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { MACHINE } from './capabilities.ts';

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' };
const WRITTEN = 40;

const write = (call: Caller, elementId: number) => call('Generate', { ...AT, elementId });

function reasonOf({ status, body }: Answer): string {
  const [detail] = (body['details'] ?? []) as { debug?: { reason?: string } }[];
  return `${status} ${detail?.debug?.reason ?? ''}`;
}

/** A service with {@link WRITTEN} elements. */
async function filled(): Promise<RunningApp & { call: Caller; lines: Record<string, unknown>[] }> {
  const { log, lines } = capturedLog();
  const app = await startApp({}, { log });
  const call = h1Caller(app.port);
  for (let id = 1; id <= WRITTEN; id++) expect(await write(call, id)).toMatchObject({ status: 200 });
  return { ...app, call, lines };
}

/** Writes are refused and nothing of them is kept; reads go on; probes, metrics and log say so. */
async function refuses({ call, port, url, lines }: Awaited<ReturnType<typeof filled>>, fault: RegExp) {
  for (const id of [1_001, 1_002]) expect(reasonOf(await write(call, id))).toBe('503 DATABASE_UNAVAILABLE');
  expect(await call('GetSequence', AT)).toMatchObject({ body: { size: WRITTEN } });
  const { status, text } = await get(port, '/readyz');
  expect({ status, database: JSON.parse(text).checks.database }).toEqual({
    status: 503,
    database: { engine: 'sqlite', ok: false },
  });
  expect((await metricsOf(url)).get('sequence_database_files_ok')).toBe(0);
  const logged = lines.find(({ msg }) => msg === 'a batch of writes failed');
  expect(JSON.stringify(logged)).toMatch(fault);
}

/** Writes are served, without a restart, and nothing was lost or kept by mistake. */
async function serves({ call, port, url, file }: Awaited<ReturnType<typeof filled>>) {
  expect(await write(call, 2_001)).toMatchObject({ status: 200, body: { sequenceNumber: WRITTEN + 1 } });
  expect((await get(port, '/readyz')).status).toBe(200);
  expect((await metricsOf(url)).get('sequence_database_files_ok')).toBe(1);
  expect(await verifyDatabase(placeOf(file))).toMatchObject({ elements: WRITTEN + 1, violations: [] });
}

test('moved away: refused; moved back: served', async () => {
  const app = await filled();
  await rename(app.file, `${app.file}.away`);
  await refuses(app, /sequence\.db is gone/);
  await rename(`${app.file}.away`, app.file);
  await serves(app);
});

test('replaced by another database: refused, which is left alone; put back: served', async () => {
  const app = await filled();
  const other = await filled();
  await other.app.stop();
  await rename(app.file, `${app.file}.away`);
  await copyFile(other.file, app.file);
  await refuses(app, /sequence\.db is another file/);
  await rename(`${app.file}.away`, app.file);
  await serves(app);
});

test('the log moved away: refused; moved back: served', async () => {
  const app = await filled();
  await rename(`${app.file}-wal`, `${app.file}.away`);
  await refuses(app, /sequence\.db-wal is gone/);
  await rename(`${app.file}.away`, `${app.file}-wal`);
  await serves(app);
});

test('the write lock deleted, under which another service could start: refused; put back: served', async () => {
  const app = await filled();
  await rename(`${app.file}.lock`, `${app.file}.away`);
  await refuses(app, /sequence\.db\.lock is gone/);
  await rename(`${app.file}.away`, `${app.file}.lock`);
  await serves(app);
});

test('the folder moved away: refused; moved back: served', async () => {
  const app = await filled();
  const folder = join(app.file, '..');
  await rename(folder, `${folder}.away`);
  await refuses(app, /sequence\.db is gone/);
  await rename(`${folder}.away`, folder);
  await serves(app);
});

test('the log truncated: refused until a restart, and nothing of it gets into the database', async () => {
  const app = await filled();
  await (await openSqlite(app.file)).run('PRAGMA wal_checkpoint(PASSIVE)');
  for (let id = 101; id <= 110; id++) expect(await write(app.call, id)).toMatchObject({ status: 200 });
  await truncate(`${app.file}-wal`, 8_192);
  expect(reasonOf(await write(app.call, 1_001))).toBe('503 DATABASE_UNAVAILABLE');
  expect((await get(app.port, '/readyz')).status).toBe(503);
  expect(JSON.stringify(app.lines)).toMatch(/sequence\.db-wal was truncated/);
  expect(reasonOf(await write(app.call, 1_001))).toBe('503 DATABASE_UNAVAILABLE');
});

test('the database truncated: refused until a restart', async () => {
  const app = await filled();
  await (await openSqlite(app.file)).run('PRAGMA wal_checkpoint(PASSIVE)');
  expect(await write(app.call, 101)).toMatchObject({ status: 200 });
  await truncate(app.file, 4_096);
  expect(reasonOf(await write(app.call, 1_001))).toBe('503 DATABASE_UNAVAILABLE');
  expect((await get(app.port, '/readyz')).status).toBe(503);
  expect(JSON.stringify(app.lines)).toMatch(/sequence\.db was truncated/);
});

test('what SQLite itself makes smaller is no fault', async () => {
  const app = await filled();
  const outside = await openSqlite(app.file);
  await outside.run('PRAGMA wal_checkpoint(TRUNCATE)');
  expect((await get(app.port, '/readyz')).status).toBe(200);
  await outside.run('CREATE TABLE ballast (x); INSERT INTO ballast VALUES (zeroblob(1000000))');
  await outside.run('PRAGMA wal_checkpoint(TRUNCATE)');
  expect((await get(app.port, '/readyz')).status).toBe(200);
  await outside.run('DROP TABLE ballast; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  await serves(app);
});

test('deleted under a running transaction: OUTCOME_UNKNOWN, since the write would come back with the file', async () => {
  const file = join(await temporaryFolder(), 'sequence.db');
  const database = await openDatabase(placeOf(file));
  onTestFinished(() => database.close());
  const { writer } = startWriter({
    transaction: (body, timeoutMs) =>
      database.writer.transaction(async (tx) => {
        const result = await body(tx);
        await rename(file, `${file}.away`);
        return result;
      }, timeoutMs),
  });
  expect(await settled(writer.submit(generate(1), patiently()))).toEqual({ error: 'OUTCOME_UNKNOWN' });
  expect(await settled(writer.submit(generate(2), patiently()))).toEqual({ error: 'DATABASE_UNAVAILABLE' });
  await rename(`${file}.away`, file);
  expect(await verifyDatabase(placeOf(file))).toMatchObject({ elements: 1, violations: [] });
});

describe.skipIf(!MACHINE.proc)('deleted (needs: proc)', () => {
  test('as long as the service is not stopped, everything is still there to be copied', async () => {
    const { child, port, file } = await startService();
    const call = h1Caller(port);
    for (let id = 1; id <= WRITTEN; id++) expect(await write(call, id)).toMatchObject({ status: 200 });
    await rm(file);
    await rm(`${file}-wal`);
    expect(reasonOf(await write(call, 1_001))).toBe('503 DATABASE_UNAVAILABLE');

    // As docs/operations.md says.
    const rescued = join(await temporaryFolder(), 'sequence.db');
    for (const suffix of ['', '-wal']) {
      const descriptor = await descriptorOf(child.pid!, `${file}${suffix} (deleted)`);
      execFileSync('cp', [`/proc/${child.pid}/fd/${descriptor}`, `${rescued}${suffix}`]);
    }
    child.kill('SIGKILL');
    const verified = await cli(['verify'], { DATABASE_URL: `sqlite:///${rescued}` });
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining(`${WRITTEN} elements`) });
    const again = await startAppOn(rescued);
    expect(await write(h1Caller(again.port), 1_001)).toMatchObject({ body: { sequenceNumber: WRITTEN + 1 } });
  });
});

async function descriptorOf(pid: number, target: string): Promise<string> {
  for (const descriptor of await readdir(`/proc/${pid}/fd`))
    if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')) === target) return descriptor;
  throw new Error(`${target} is not open`);
}
