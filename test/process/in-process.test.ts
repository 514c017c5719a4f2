import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createApp, StartError } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { get, h1Caller } from '../support/caller.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const quiet = (file: string) => ({ DATABASE_URL: `sqlite:///${file}`, PORT: '0', LOG_LEVEL: 'silent' });

function configFor(file: string, port = '0') {
  return loadConfig({ ...quiet(file), PORT: port });
}

/** What is open in this process, by kind: handles, listeners of the process, and files of the database. */
async function open(file: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const count = (kind: string, by = 1) => counts.set(kind, (counts.get(kind) ?? 0) + by);
  for (const type of process.getActiveResourcesInfo()) count(type);
  for (const name of process.eventNames()) count(`on ${String(name)}`, process.listenerCount(name));
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  for (const link of await Promise.all(links)) if (link.startsWith(file)) count(link);
  return counts;
}

/** What there is more of than before; polled, since some of it closes in the background. */
async function grown(file: string, before: Map<string, number>): Promise<string[]> {
  let more: string[] = [];
  await until(
    'nothing has grown',
    async () => {
      const now = [...(await open(file))];
      // The poll's own timer is not there while it looks.
      more = now.filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
      return more.length === 0;
    },
    2_000,
  ).catch(() => {});
  return more;
}

test('twenty starts and stops leave no handle and no listener', async () => {
  const file = join(await temporaryFolder(), 'sequence.db');
  const cycle = async () => {
    const app = createApp(configFor(file));
    const { port } = await app.start();
    expect((await get(port, '/readyz')).status).toBe(200);
    expect(await app.stop()).toBe(true);
  };
  await cycle();
  const before = await open(file);
  for (let turn = 0; turn < 20; turn++) await cycle();
  expect(await grown(file, before)).toEqual([]);
});

test('failed starts leave nothing open: no handle, no listener, no lock', async () => {
  const file = join(await temporaryFolder(), 'sequence.db');
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const before = await open(file);
  for (let turn = 0; turn < 5; turn++) {
    const app = createApp(configFor(file, String(port)));
    await expect(app.start()).rejects.toThrow(StartError);
  }
  expect(await grown(file, before)).toEqual([]);
  const app = createApp(configFor(file));
  await app.start();
  const second = createApp(configFor(file));
  await expect(second.start()).rejects.toThrow('another process is already writing');
  expect(await app.stop()).toBe(true);
});

test('start and stop are said once, whoever says them, and in any order', async () => {
  const file = join(await temporaryFolder(), 'sequence.db');
  const app = createApp(configFor(file));
  const starting = app.start();
  expect(app.start()).toBe(starting);
  const stopping = app.stop();
  expect(app.stop()).toBe(stopping);
  const { port } = await starting;
  expect(await stopping).toBe(true);
  await expect(get(port, '/livez')).rejects.toThrow('ECONNREFUSED');

  const never = createApp(configFor(file));
  expect(await never.stop()).toBe(true);
  await expect(never.start()).rejects.toThrow('has been stopped');
});

test('a stop that was killed says that it was', async () => {
  const file = join(await temporaryFolder(), 'sequence.db');
  const app = createApp(
    loadConfig({
      ...process.env,
      DATABASE_URL: `sqlite:///${file}`,
      PORT: '0',
      DRAIN_DELAY: '7s',
      LOG_LEVEL: 'silent',
    }),
  );
  const { port } = await app.start();
  await h1Caller(port)('Generate', { elementType: 'ELEMENT_TYPE_SCRIPT', elementId: 1 });
  const stopping = app.stop();
  await until('it is not ready', async () => (await get(port, '/readyz')).status === 503);
  app.kill();
  expect(await stopping).toBe(false);
});
