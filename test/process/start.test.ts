import { once } from 'node:events';
import { chmod, mkdir, stat, symlink } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { h1Caller } from '../support/caller.ts';
import { messagesOf, startMain, startService } from '../support/service.ts';
import { openSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const NOBODY = 65_534;

/** A port that is taken, for the time of the test. */
async function takenPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return String((server.address() as AddressInfo).port);
}

test('the default configuration in an empty folder creates ./data/sequence.db and serves', async () => {
  const cwd = await temporaryFolder();
  // An empty variable counts as not set.
  const { child, ended, port } = await startService({ cwd, env: { DATABASE_URL: '' } });
  const sequence = { elementType: 'ELEMENT_TYPE_SCRIPT' };
  const { body } = await h1Caller(port)('Generate', { ...sequence, elementId: 4 });
  expect(body).toMatchObject({ sequenceNumber: 1, element: { scope: 'default' } });
  expect((await stat(join(cwd, 'data/sequence.db'))).size).toBeGreaterThan(0);
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});

describe('what cannot start says why in one line, exit code 1:', () => {
  test('the port is taken', async () => {
    const port = await takenPort();
    const { code, stdout, stderr } = await (await startMain({ env: { PORT: port } })).ended;
    const line = `cannot listen on 127.0.0.1:${port}: the port is taken by another process\n`;
    expect({ code, stderr }).toEqual({ code: 1, stderr: line });
    expect(messagesOf(stdout)).not.toContain('serving');
  });

  test('another process writes the database', async () => {
    const { file } = await startService();
    const { code, stderr } = await (await startMain({ env: { DATABASE_URL: `sqlite:///${file}` } })).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^another process is already writing to \S+; stop it first, or .*\n$/);
  });

  test('the folder cannot be written', async () => {
    const folder = await temporaryFolder();
    await chmod(folder, 0o755);
    const locked = join(folder, 'locked');
    await mkdir(locked, { mode: 0o555 });
    const env = { DATABASE_URL: `sqlite:///${join(locked, 'sequence.db')}` };
    const cwd = '/';
    // Root may write everywhere.
    const { ended } = await startMain(process.getuid?.() === 0 ? { env, cwd, uid: NOBODY } : { env, cwd });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the database \S+ cannot be opened: SQLITE_CANTOPEN: .*\n$/);
  });

  test('the folder cannot be made', async () => {
    const { ended } = await startMain({ env: { DATABASE_URL: 'sqlite:////proc/sequence/sequence.db' } });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the database \S+ cannot be opened: ENOENT: .* mkdir .*\n$/);
  });

  test('the folder is a link to nowhere', async () => {
    const folder = join(await temporaryFolder(), 'data');
    await symlink('nowhere', folder);
    const { ended } = await startMain({ env: { DATABASE_URL: `sqlite:///${folder}/more/sequence.db` } });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the database \S+ cannot be opened: ENOENT: .*\n$/);
  });

  test('and a bad configuration, every fault', async () => {
    const env = { PORT: '99999', LOG_LEVEL: 'loud', DRAIN_DELAY: '8s', STOP_TIMEOUT: '1s' };
    const { code, stdout, stderr } = await (await startMain({ env })).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      'The configuration cannot be used:',
      expect.stringMatching(/^ {2}- PORT must/),
      expect.stringMatching(/^ {2}- LOG_LEVEL must/),
      expect.stringMatching(/^ {2}- STOP_TIMEOUT must be above DRAIN_DELAY/),
      '',
    ]);
  });
});

describe('a signal during the start', () => {
  /** A service whose start waits for a lock on its database, which the returned function gives back. */
  async function startBlocked(env: Record<string, string> = {}) {
    const file = join(await temporaryFolder(), 'sequence.db');
    const holder = await openSqlite(file);
    await holder.run('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE other (id)');
    const started = await startMain({ env: { DATABASE_URL: `sqlite:///${file}`, ...env } });
    await until('it opens its database', () => stat(`${file}.lock`).catch(() => undefined));
    return { ...started, release: () => holder.run('ROLLBACK') };
  }

  test('waits for it, then stops', async () => {
    const { child, ended, release } = await startBlocked();
    child.kill('SIGTERM');
    await release();
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(messagesOf(stdout)).toEqual(['database migrated', 'sync disabled', 'serving', 'stopped']);
  });

  test('does not hide that it failed', async () => {
    const { child, ended, release } = await startBlocked({ PORT: await takenPort() });
    child.kill('SIGTERM');
    await release();
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^cannot listen on \S+ the port is taken by another process\n$/);
  });

  test('given twice, ends it where it hangs', async () => {
    const { child, ended } = await startBlocked();
    const signalled = performance.now();
    child.kill('SIGTERM');
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^the process did not end by itself/);
    expect(performance.now() - signalled).toBeLessThan(2_000);
  });
});
