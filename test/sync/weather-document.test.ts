import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MemoryClaims } from '../../src/sync/claims.ts';
import { LeasedClaims } from '../../src/sync/leased-claims.ts';
import { capabilities } from '../engines/index.ts';
import { answers } from '../support/typesense/faults.ts';
import { until } from '../support/until.ts';
import {
  AT,
  COLLECTION,
  converged,
  databaseFile,
  dirty,
  type Follower,
  follow,
  generated,
  KINDS,
  startIndex,
} from './harness.ts';

const MANY = process.env['LONG'] === '1' ? 10_000 : 600;
const BAD = 'play_section_7_1';
const counts = async ({ file }: Follower) => {
  const { dirty: n, parked } = await dirty(file);
  return { good: n - parked, parked };
};

describe.each(KINDS)('%s', (kind) => {
  test('one document always refused among many good ones is parked, and sent again when asked', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '3' });
    const { client, sync } = follower;
    await generated(follower, double, 1, 5);
    double.store.refuse(BAD);
    let revision = 0n;
    for (let first = 6; first < 6 + MANY; first += 1_000) {
      const length = Math.min(1_000, 6 + MANY - first);
      const items = Array.from({ length }, (_, index) => ({ elementId: BigInt(index + first) }));
      ({ revision } = await client.batchGenerate({ ...AT, items }));
    }
    // Other documents pass meanwhile, which is what makes its refusals its own.
    let next = 100_000n;
    await until('it is parked', async () => {
      await client.generate({ ...AT, elementId: next++ });
      return (await dirty(follower.file)).parked === 1;
    });
    await until('the good ones are there', async () => (await counts(follower)).good === 0);
    expect(double.documents(COLLECTION)).toHaveLength(5 + MANY - 1 + Number(next - 100_000n));

    const parked = await sync.listParked({});
    expect(parked).toMatchObject({ documents: [{ documentId: BAD, attempts: 3 }], nextPageToken: '' });
    expect(parked.documents[0]!.error).toContain('is refused by the test');
    await expect(sync.waitForSync({ ...AT, revision })).rejects.toThrow(/parked/);
    await until('status tells', async () => (await sync.getSyncStatus({})).parked === 1n, 4_000);

    // Left alone while it is parked.
    const sent = double.log.total;
    await client.generate({ ...AT, elementId: next++ });
    await until('the good one is there', async () => (await counts(follower)).good === 0);
    expect(double.log.total - sent).toBe(1);

    double.store.accept(BAD);
    expect(await sync.retryParked({ documentIds: ['play_section_1_1', 'no id', BAD] })).toMatchObject({
      retried: 1n,
    });
    await converged(follower.file, double);
  });

  test('a parked document is sent again with its next change', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
    await generated(follower, double, 1, 7);
    await follower.client.createVersion({ ...AT, elementId: 7n });
    await converged(follower.file, double);
    double.store.refuse('play_section_7_2');
    await follower.client.move({ ...AT, elementId: 7n, target: { case: 'first', value: true } });
    let next = 100n;
    await until('it is parked', async () => {
      await follower.client.generate({ ...AT, elementId: next++ });
      return (await dirty(follower.file)).parked === 1;
    });
    double.store.accept('play_section_7_2');
    await follower.client.move({ ...AT, elementId: 7n, target: { case: 'position', value: 3 } });
    await converged(follower.file, double);
  });

  test('a new version goes first: two latest for a moment, never none', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow(env);
    await generated(follower, double, 1, 3);
    double.log.forget();
    for (let index = 0; index < 10; index++) await follower.client.createVersion({ ...AT, elementId: 2n });
    await converged(follower.file, double);
    // Replays what was sent: from the first on, each state of the index has a latest version of the element.
    const latest = new Map([['play_section_2_1', true]]);
    const sends = double.log.requests.flatMap(({ route, body }) =>
      route === 'import'
        ? [body.split('\n').map((line) => JSON.parse(line))]
        : route === 'sync'
          ? [[JSON.parse(body).document]]
          : [],
    );
    expect(sends.length).toBeGreaterThan(1);
    for (const batch of sends) {
      for (const { id, is_latest } of batch) latest.set(id, is_latest);
      expect([...latest.values()]).toContain(true);
    }
  });

  test('what is taken while the index hangs is bounded, in bytes too', async () => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const before = await follow({}, {}, file);
    const content = { text: 'x'.repeat(200_000) };
    for (let elementId = 1n; elementId <= 200n; elementId++)
      await before.client.generate({ ...AT, elementId, content });
    await before.app.stop();
    const Claims = capabilities.manyWriters ? LeasedClaims : MemoryClaims;
    const takes = vi.spyOn(Claims.prototype, 'take');
    onTestFinished(() => takes.mockRestore());
    const hanging = double.faults.always(
      { kind: 'hang' },
      ({ route }) => route === 'import' || route === 'sync',
    );
    await follow({ ...env, SYNC_CALL_TIMEOUT: '5s' }, {}, file);
    await until('a call hangs', () => double.log.documentsReceived > 0);
    await sleep(800);
    let bytes = 0;
    for (const result of takes.mock.settledResults)
      if (result.type === 'fulfilled')
        for (const { state } of result.value.claims) bytes += state?.content?.length ?? 0;
    expect(bytes).toBeGreaterThan(1e6);
    expect(bytes).toBeLessThan(13e6);
    hanging.end();
    await converged(file, double, 15_000);
  });

  test('while the latest version is refused, an older one is not frozen, and nothing spins', async () => {
    const { double, env } = await startIndex(kind);
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
    await generated(follower, double, 1, 3);
    double.store.refuse('play_section_2_2');
    await follower.client.createVersion({ ...AT, elementId: 2n });
    let next = 100n;
    await until('it is parked', async () => {
      await follower.client.generate({ ...AT, elementId: next++ });
      return (await dirty(follower.file)).parked === 1;
    });
    await until('all else is there', async () => (await dirty(follower.file)).dirty === 2);
    const looks = vi.spyOn((capabilities.manyWriters ? LeasedClaims : MemoryClaims).prototype, 'take');
    onTestFinished(() => looks.mockRestore());
    await sleep(300);
    expect(looks.mock.calls.length).toBeLessThanOrEqual(4);
    expect(double.documents(COLLECTION)).toContainEqual(
      expect.objectContaining({ id: 'play_section_2_1', is_latest: true }),
    );
    double.store.accept('play_section_2_2');
    await follower.sync.retryParked({ all: true });
    await converged(follower.file, double);
  });
});

describe('typesense', () => {
  test('a line that fails by the server, not by its document, uses up no attempt', async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
    await generated(follower, double, 1, 3);
    double.store.refuse(BAD, 500, 'out of memory');
    await follower.client.generate({ ...AT, elementId: 7n });
    const tries = () => double.log.requests.filter(({ body }) => body.includes(BAD)).length;
    await until('it has been tried often, while others pass', async () => {
      await follower.client.createVersion({ ...AT, elementId: 1n });
      return tries() > 5;
    });
    await until('the others are there', async () => (await counts(follower)).good === 1);
    expect((await dirty(follower.file)).parked).toBe(0);
    double.store.accept(BAD);
    await converged(follower.file, double);
  });
});

describe('typesense-client', () => {
  test('429 with Retry-After: nothing more is sent until then, though other calls are waiting', async () => {
    const { double, env } = await startIndex('typesense-client');
    const overrides = { sync: { minWaitMs: 1, maxWaitMs: 5_000, volumeThreshold: 1_000 } };
    const follower = await follow({ ...env, SYNC_CONCURRENCY: '2' }, overrides);
    await generated(follower, double, 1, 3);
    double.faults.next([answers.tooMany('1'), answers.tooMany('1')]);
    const calls = double.log.total;
    const items = Array.from({ length: 50 }, (_, index) => ({ elementId: BigInt(index + 10) }));
    await follower.client.batchGenerate({ ...AT, items });
    await sleep(700);
    expect(double.log.total - calls).toBeLessThanOrEqual(2);
    await converged(follower.file, double);
  });

  test.each([400, 409, 413])('%s of a single-document call is a verdict: parked', async (status) => {
    const { double, env } = await startIndex('typesense-client');
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '2' });
    await generated(follower, double, 1, 3);
    const outage = double.faults.always(answers.detail(status, 'no'), ({ body }) => body.includes(BAD));
    await follower.client.generate({ ...AT, elementId: 7n });
    await until('it is parked', async () => (await dirty(follower.file)).parked === 1);
    expect(outage.hits).toBe(2);
    expect((await follower.sync.getSyncStatus({})).breakerState).toBe('closed');
    outage.end();
    await follower.sync.retryParked({ all: true });
    await converged(follower.file, double);
  });

  test('500 for a document while no other passes uses up no attempt', async () => {
    const { double, env } = await startIndex('typesense-client');
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
    await generated(follower, double, 1, 3);
    const outage = double.faults.always(answers.detail(500, 'Connection timed out'));
    await follower.client.generate({ ...AT, elementId: 7n });
    await follower.client.generate({ ...AT, elementId: 8n });
    await until('it has been tried often', () => outage.hits > 8);
    expect(await dirty(follower.file)).toEqual({ dirty: 2, parked: 0 });
    outage.end();
    await converged(follower.file, double);
  });
});
