import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase, verifyDatabase } from '../../src/db/database.ts';
import { DatabaseError } from '../../src/db/errors.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openWriterSource, sqliteConnection } from '../../src/db/sqlite.ts';
import { SqliteWriter } from '../../src/db/sqlite-writer.ts';
import type { Writer } from '../../src/domain/writer.ts';
import { capabilities } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { generate, patiently, type Result, settled, startWriter } from './harness.ts';

const CONTENT = JSON.stringify({ text: 'x'.repeat(20_000) });

/** Submits `count` large elements at once, with ids from `first` on. */
function burst(writer: Writer, first: number, count: number): Promise<Result[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      settled(writer.submit(generate(first + index, { content: CONTENT }), patiently())),
    ),
  );
}

/** Writes bursts until the disk is full; every burst is written whole or refused whole. */
async function fill(writer: Writer): Promise<{ written: number; next: number }> {
  for (let first = 1; first < 10_000; first += 4) {
    const results = await burst(writer, first, 4);
    if (results.every(({ answer }) => answer !== undefined)) continue;
    expect(results).toEqual(results.map(() => ({ error: 'DATABASE_UNAVAILABLE' })));
    return { written: first - 1, next: first };
  }
  throw new Error('the disk did not become full');
}

test.skipIf(!capabilities.isFile)(
  'a full database: DATABASE_UNAVAILABLE, nothing written, service again when there is room',
  async () => {
    const file = join(await temporaryFolder(), 'sequence.db');
    const source = await openWriterSource(file);
    onTestFinished(() => source.destroy());
    await migrate(source, 'auto');
    await source.query('PRAGMA max_page_count = 200');
    const connection = new SqliteWriter(sqliteConnection(source));
    onTestFinished(() => connection.close());
    const { writer, errors } = startWriter(connection);

    const { written, next } = await fill(writer);
    expect(written).toBeGreaterThan(0);
    expect(errors.at(-1)).toBeInstanceOf(DatabaseError);
    expect(String(errors.at(-1))).toContain('SQLITE_FULL');
    const full = await settled(writer.submit(generate(next, { content: CONTENT.repeat(9) }), patiently()));
    expect(full).toEqual({ error: 'DATABASE_UNAVAILABLE' });
    expect(await source.query('SELECT count(*) AS n, max(sequence_number) AS last FROM element')).toEqual([
      { n: written, last: written },
    ]);
    expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);

    await source.query('PRAGMA max_page_count = 10000');
    const results = await burst(writer, next, 4);
    expect(results.map(({ answer }) => answer)).toMatchObject(
      [1, 2, 3, 4].map((step) => ({ element: { sequenceNumber: written + step } })),
    );
    expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
  },
);

// Needs the right to mount: a file system of 4 MiB, with a ballast that is dropped to make room.
test.skipIf(!capabilities.isFile || !canMount())('a full disk, met by the commit: the same', async () => {
  const folder = await mounted();
  const ballast = join(folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(2 * 1024 * 1024));
  const file = join(folder, 'sequence.db');
  const database = await openDatabase(placeOf(file));
  onTestFinished(() => database.close());
  const { writer } = startWriter(database.writer);

  const { written, next } = await fill(writer);
  expect(written).toBeGreaterThan(0);
  for (let again = 0; again < 3; again++)
    expect(await burst(writer, next, 4)).toEqual([1, 2, 3, 4].map(() => ({ error: 'DATABASE_UNAVAILABLE' })));
  // Reads go on.
  expect(await database.reads.getSequence('play', 'script')).toMatchObject({ size: written });

  await rm(ballast);
  const results = await burst(writer, next, 4);
  expect(results[3]!.answer).toMatchObject({ element: { sequenceNumber: written + 4 } });
  expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
});

async function mounted(): Promise<string> {
  const folder = join(await temporaryFolder(), 'small');
  await mkdir(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' });
  onTestFinished(() => void execFileSync('umount', ['-l', folder], { stdio: 'ignore' }));
  return folder;
}

/** Tried in a mount namespace of its own, which goes with the process. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
