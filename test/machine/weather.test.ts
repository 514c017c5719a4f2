import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { get, h1Caller } from '../support/caller.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { converged, databaseFile, startIndex } from '../sync/harness.ts';
import { MACHINE } from './capabilities.ts';
import { load } from './endure.ts';
import { preload } from './preload.ts';

// A machine that does other things as well needs its time.
vi.setConfig({ testTimeout: 90_000 });

describe.skipIf(!MACHINE.preloads)('under load (needs: preloads)', () => {
  const start = preload();

  test.each([
    ['a read-only file system', 'EROFS'],
    ['a disk that fails', 'EIO'],
    ['a full disk', 'ENOSPC'],
  ] as const)(
    '%s: refused while it lasts, reads go on, service again at once without a restart',
    async (_what, code) => {
      const service = await start();
      const { port, file } = service;
      const writers = load(port);
      await writers.more('answers', 100);
      service.failWrites(code);
      await writers.more('errors', 30);
      const before = writers.answered;
      await writers.more('errors', 30);
      expect(writers.answered).toBe(before);
      const read = await h1Caller(port)('GetSequence', {
        scope: 'play',
        elementType: 'ELEMENT_TYPE_SECTION',
      });
      expect(read.status).toBe(200);
      expect((await get(port, '/readyz')).status).toBe(200);
      await until('the log tells', () => service.log().some(({ msg }) => msg === 'a batch of writes failed'));
      service.failWrites(undefined);
      await writers.more('answers', 100);
      // Only the first batch that met it has an unknown outcome: of the others nothing was tried.
      expect(writers.errors.get('DATABASE_UNAVAILABLE')).toBeGreaterThan(20);
      expect(writers.errors.get('OUTCOME_UNKNOWN') ?? 0).toBeLessThan(25);
      await writers.check(file);
    },
  );

  test('the clock jumps, forwards and back: served all the while, times go on, the index follows', async () => {
    const { double, env } = await startIndex('typesense');
    const service = await start({ ...(env as Record<string, string>), SYNC_SETTLE: '500ms' });
    const writers = load(service.port);
    for (const offset of [3_600, -3_600, 30 * 86_400, -86_400, 0]) {
      await writers.more('answers', 50);
      service.setClock(offset);
    }
    await writers.more('answers', 50);
    // A write that waits while the clock jumps over its deadline is given up; nothing else is.
    expect([...writers.errors.keys()].filter((reason) => reason !== 'DEADLINE_EXCEEDED')).toEqual([]);
    expect(writers.errors.get('DEADLINE_EXCEEDED') ?? 0).toBeLessThan(60);
    await writers.check(service.file);
    await converged(service.file, double, 15_000);
    const call = h1Caller(service.port);
    let last = '';
    for (const [elementId, offset] of [
      [1, 86_400],
      [2, -86_400],
      [3, 0],
    ] as const) {
      service.setClock(offset);
      const { body } = await call('Generate', {
        scope: 'times',
        elementType: 'ELEMENT_TYPE_SCRIPT',
        elementId,
      });
      const { createTime } = body['element'] as { createTime: string };
      // As many digits for each, so that they compare as text.
      const time = createTime.replace(/(?:\.(\d+))?Z$/, (_, digits = '') => `.${digits.padEnd(6, '0')}`);
      expect(time > last, `${time} after ${last}`).toBe(true);
      last = time;
    }
  });
});

test('the process stands still for 2 s: everything is answered afterwards, and the index follows', async () => {
  const { double, env } = await startIndex('typesense');
  const file = await databaseFile();
  const service = await startService({
    env: { ...(env as Record<string, string>), DATABASE_URL: `sqlite:///${file}`, SYNC_SETTLE: '500ms' },
  });
  const writers = load(service.port);
  await writers.more('answers', 100);
  service.child.kill('SIGSTOP');
  await sleep(100);
  const before = writers.answered;
  await sleep(2_000);
  expect(writers.answered).toBe(before);
  service.child.kill('SIGCONT');
  await writers.more('answers', 200);
  expect((await get(service.port, '/readyz')).status).toBe(200);
  expect([...writers.errors]).toEqual([]);
  await writers.check(file);
  await converged(file, double, 15_000);
});

describe.skipIf(!MACHINE.limits)('descriptors run out (needs: limits)', () => {
  test('who is connected is served, others are turned away; with descriptors again, everyone is', async () => {
    const { double, env } = await startIndex('typesense');
    const service = await startService({
      env: { ...(env as Record<string, string>), SYNC_SETTLE: '500ms' },
    });
    const { port, file } = service;
    const writers = load(port);
    await writers.more('answers', 100);
    const limit = (soft: number) =>
      execFileSync('prlimit', ['--pid', String(service.child.pid), `--nofile=${soft}:`]);
    limit((await readdir(`/proc/${service.child.pid}/fd`)).length + 4);
    const held = Array.from({ length: 20 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => held.forEach((socket) => void socket.destroy()));
    await until('no descriptor is left', () =>
      get(port, '/livez').then(
        () => false,
        () => true,
      ),
    );
    for (let attempt = 0; attempt < 20; attempt++)
      await expect(get(port, '/livez')).rejects.toThrow(/ECONNRESET|socket hang up/);
    // The connection to the index breaks, and there may be no descriptor for another.
    await double.restart();
    await writers.more('answers', 200);
    expect([...writers.errors]).toEqual([]);
    limit(4_096);
    expect((await get(port, '/livez')).status).toBe(200);
    await writers.check(file);
    await converged(file, double, 30_000);
    service.child.kill('SIGTERM');
    expect((await service.ended).code).toBe(0);
  });
});
