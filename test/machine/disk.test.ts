import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type Answer, type Caller, get, h1Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { MACHINE } from './capabilities.ts';
import { reasonOf } from './endure.ts';
import { ext4Disk, memoryDisk } from './mounted.ts';

// A machine that does other things as well needs its time.
vi.setConfig({ testTimeout: 90_000 });

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
const PIECES = 8;
const CONTENT = { text: 'x'.repeat(250_000) };
const MIB = 1024 * 1024;

/** Two megabytes, all or nothing: batch `index` of elements. */
function writeBatch(call: Caller, index: number): Promise<Answer> {
  const items = Array.from({ length: PIECES }, (_, piece) => ({
    elementId: index * PIECES + piece + 1,
    content: CONTENT,
  }));
  return call('BatchGenerate', { ...AT, items });
}

/** Writes until one is refused; returns how many were acknowledged. */
async function fill(call: Caller): Promise<number> {
  for (let index = 0; index < 100; index++) {
    const answer = await writeBatch(call, index);
    if (answer.status === 200) continue;
    expect(reasonOf(answer)).toBe('DATABASE_UNAVAILABLE');
    return index;
  }
  throw new Error('the disk did not become full');
}

async function verified(file: string, batches: number): Promise<void> {
  const { code, stdout } = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining(` ${batches * PIECES} elements`),
  });
}

describe.skipIf(!MACHINE.mounts)('a full disk (needs: mounts)', () => {
  test('during a checkpoint: writes go on in the log, are refused when that is full, and go on with room', async () => {
    // The log is copied into the database at 32 MiB, which does not find room for both.
    const { folder, resize } = await memoryDisk('56m');
    const file = join(folder, 'sequence.db');
    const { port, url, child, ended } = await startService({ env: { DATABASE_URL: `sqlite:///${file}` } });
    const call = h1Caller(port);
    const written = await fill(call);
    // A checkpoint has begun, and has not come to its end.
    const sizes = await Promise.all(['', '-wal'].map(async (suffix) => (await stat(file + suffix)).size));
    expect(sizes[0]).toBeGreaterThan(MIB);
    expect(sizes[1]).toBeGreaterThan(33 * MIB);
    for (let again = 0; again < 3; again++)
      expect(reasonOf(await writeBatch(call, written))).toBe('DATABASE_UNAVAILABLE');
    expect((await call('GetSequence', AT)).body).toMatchObject({ size: written * PIECES });
    expect((await get(port, '/readyz')).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    await verified(file, written);

    resize('300m');
    for (let more = 0; more < 24; more++) expect((await writeBatch(call, written + more)).status).toBe(200);
    await verified(file, written + 24);
    // The checkpoint has been caught up with: the log begins anew instead of growing on.
    expect((await stat(`${file}-wal`)).size).toBeLessThan(70 * MIB);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    await verified(file, written + 24);
  });

  test('at the start: told in words; with room it starts', async () => {
    const { folder, resize } = await memoryDisk('8k');
    const env = { DATABASE_URL: `sqlite:///${join(folder, 'sequence.db')}` };
    const refused = await cli(['migrate'], env);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^the database \S+ cannot be .*\n$/),
    });
    resize('8m');
    await startService({ env });
  });
});

describe.skipIf(!MACHINE.loops)('a file system that the system gave up (needs: loops)', () => {
  test('refused while it lasts, reads go on; after the repair everything acknowledged is there', async () => {
    const { folder, fail, repair } = await ext4Disk();
    const file = join(folder, 'sequence.db');
    const env = { DATABASE_URL: `sqlite:///${file}` };
    const { port, child, ended } = await startService({ env });
    const call = h1Caller(port);
    for (let index = 0; index < 3; index++) expect((await writeBatch(call, index)).status).toBe(200);
    fail();
    // The first one met it in its commit.
    expect(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE']).toContain(reasonOf(await writeBatch(call, 3)));
    for (let again = 0; again < 3; again++)
      expect(reasonOf(await writeBatch(call, 4))).toBe('DATABASE_UNAVAILABLE');
    expect((await call('GetSequence', AT)).body).toMatchObject({ size: 3 * PIECES });
    child.kill('SIGTERM');
    await ended;
    repair();
    const again = await startService({ env });
    const { body } = await h1Caller(again.port)('GetSequence', AT);
    expect([3 * PIECES, 4 * PIECES]).toContain(body['size']);
    await verified(file, Number(body['size']) / PIECES);
    again.child.kill('SIGTERM');
    await again.ended;
  });
});
