import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase, verifyDatabase } from '../../src/db/database.ts';
import { DatabaseStartError } from '../../src/db/errors.ts';
import { capabilities } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { temporaryFolder } from '../support/temporary.ts';

const HOLDER = new URL('./lock-holder.ts', import.meta.url).pathname;

/** Another process that opens the file; resolves with what it says. */
async function another(file: string): Promise<{ child: ChildProcess; said: Record<string, unknown> }> {
  const child = spawn(process.execPath, [HOLDER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [line] = await once(createInterface({ input: child.stdout! }), 'line');
  return { child, said: JSON.parse(line) };
}

const open = (file: string) => openDatabase(placeOf(file));

test.skipIf(!capabilities.isFile)(
  'a second writer is refused in words, in this process and from another; readers are not',
  async () => {
    const file = join(await temporaryFolder(), 'sequence.db');
    const database = await open(file);
    onTestFinished(() => database.close());
    const second = await open(file).catch((error) => error);
    expect(second).toBeInstanceOf(DatabaseStartError);
    expect(second.message).toContain(`another process is already writing to ${file}`);
    const { said } = await another(file);
    expect(said).toEqual({ name: 'DatabaseStartError', message: second.message });
    expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
    // The refused ones have not taken the lock away with them.
    await expect(open(file)).rejects.toThrow('another process');
  },
);

test.skipIf(!capabilities.isFile)(
  'the lock is free after a close, and after kill -9 of its holder',
  async () => {
    const file = join(await temporaryFolder(), 'sequence.db');
    const first = await open(file);
    await first.close();
    await first.close();

    const { child, said } = await another(file);
    expect(said).toEqual({ migrated: [] });
    await expect(open(file)).rejects.toThrow(DatabaseStartError);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const third = await open(file);
    await third.close();
  },
);

test.skipIf(!capabilities.isFile)('a link to a database is the same database', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'sequence.db');
  const link = join(folder, 'link.db');
  const database = await open(file);
  onTestFinished(() => database.close());
  await symlink(file, link);
  await expect(open(link)).rejects.toThrow(`another process is already writing to ${file}`);
});
