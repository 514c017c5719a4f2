import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test, vi } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncReads } from '../../src/db/queries/sync.ts';
import { createLogger } from '../../src/log.ts';
import { get } from '../support/caller.ts';
import { answers } from '../support/typesense/faults.ts';
import { until } from '../support/until.ts';
import { AT, converged, dirty, follow, generated, KINDS, startIndex } from './harness.ts';

const reasonOf = (error: ConnectError) =>
  error.details.map((detail) =>
    'debug' in detail ? (detail.debug as { reason?: string })?.reason : undefined,
  );
const failure = async (call: Promise<unknown>) =>
  ConnectError.from(
    await call.then(
      () => 'none',
      (e) => e,
    ),
  );

describe('WaitForSync', () => {
  test('returns at once for what the index has, for a sequence never used, and for revision 0', async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow(env);
    await generated(follower, double, 1, 5);
    await follower.sync.waitForSync({ ...AT, revision: 1n });
    await follower.sync.waitForSync({ ...AT, revision: 0n });
    await follower.sync.waitForSync({ scope: 'nobody', elementType: ElementType.ACTION, revision: 9n });
  });

  test('waits for its own sequence, up to its revision', async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow(env);
    await generated(follower, double, 1, 5);
    const outage = double.faults.always(answers.notReady());
    const other = { scope: 'other', elementType: ElementType.ACTION };
    const { revision } = await follower.client.generate({ ...other, elementId: 1n });
    await follower.sync.waitForSync({ ...AT, revision: 1n });
    let returned = 0;
    const waits = Array.from({ length: 20 }, async () => {
      await follower.sync.waitForSync({ ...other, revision });
      returned++;
    });
    await until('it has been tried', () => outage.hits > 1);
    expect(returned).toBe(0);
    outage.end();
    await until('the index has it', async () => (await dirty(follower.file)).dirty === 0);
    const started = performance.now();
    await Promise.all(waits);
    expect(performance.now() - started).toBeLessThan(500);
  });

  test("ends with the caller's deadline", async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow(env);
    double.faults.always(answers.notReady());
    const { revision } = await follower.client.generate({ ...AT, elementId: 1n });
    const error = await failure(follower.sync.waitForSync({ ...AT, revision }, { timeoutMs: 150 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test('ends with DRAINING when the service stops', async () => {
    const { double, env } = await startIndex('typesense');
    const follower = await follow(env);
    double.faults.always(answers.notReady());
    const { revision } = await follower.client.generate({ ...AT, elementId: 1n });
    const looks = vi.spyOn(SyncReads.prototype, 'pending');
    const waiting = failure(follower.sync.waitForSync({ ...AT, revision }));
    await until('it waits', () => looks.mock.calls.length > 0);
    looks.mockRestore();
    await follower.app.stop();
    const error = await waiting;
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toContain('DRAINING');
  });

  test('without a target is refused, as a Resync is; the rest answers', async () => {
    const { sync, client } = await follow({});
    await client.generate({ ...AT, elementId: 1n });
    for (const call of [sync.waitForSync({ ...AT, revision: 1n }), sync.resync({})]) {
      const error = await failure(call);
      expect(error.code).toBe(Code.FailedPrecondition);
      expect(reasonOf(error)).toContain('SYNC_DISABLED');
    }
    expect(await sync.getSyncStatus({})).toMatchObject({ enabled: false, dirty: 1n, breakerState: '' });
    expect((await sync.listParked({})).documents).toEqual([]);
    expect((await sync.retryParked({ all: true })).retried).toBe(0n);
  });
});

describe('fields that break their rules', () => {
  test.each([
    ['RetryParked without ids or all', (s) => s.retryParked({}), 'document_ids'],
    ['RetryParked with both', (s) => s.retryParked({ all: true, documentIds: ['a'] }), 'all'],
    [
      'RetryParked of too many',
      (s) => s.retryParked({ documentIds: Array(1_001).fill('a') }),
      'document_ids',
    ],
    ['ListParked of fewer than none', (s) => s.listParked({ pageSize: -1 }), 'page_size'],
    ['ListParked from nowhere', (s) => s.listParked({ pageToken: 'x' }), 'page_token'],
    ['Resync of no scope', (s) => s.resync({ scope: 'a b' }), 'scope'],
    ['Resync of no type', (s) => s.resync({ elementType: 0 }), 'element_type'],
    ['WaitForSync of no type', (s) => s.waitForSync({ revision: 1n }), 'element_type'],
    ['WaitForSync for less than nothing', (s) => s.waitForSync({ ...AT, revision: -1n }), 'revision'],
  ] as [string, (sync: Awaited<ReturnType<typeof follow>>['sync']) => Promise<unknown>, string][])(
    '%s',
    async (_name, call, field) => {
      const { env } = await startIndex('typesense');
      const { sync } = await follow(env);
      const error = await failure(call(sync));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(JSON.stringify(error.details)).toContain(`"${field}"`);
    },
  );
});

test('ListParked gives every parked document once, in pages', async () => {
  const { double, env } = await startIndex('typesense');
  const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' });
  await generated(follower, double, 1, 2);
  for (let id = 10; id < 17; id++) double.store.refuse(`play_section_${id}_1`);
  const items = Array.from({ length: 7 }, (_, index) => ({ elementId: BigInt(10 + index) }));
  await follower.client.batchGenerate({ ...AT, items });
  await until('all are parked', async () => (await dirty(follower.file)).parked === 7);
  const ids: string[] = [];
  let pageToken = '';
  do {
    const page = await follower.sync.listParked({ pageSize: 3, pageToken });
    ids.push(...page.documents.map(({ documentId }) => documentId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(ids).toEqual(items.map(({ elementId }) => `play_section_${elementId}_1`));
});

test.each(KINDS)(
  '%s: an outage is shown, in /readyz, metrics, status and log, and content in none',
  async (kind) => {
    const { double, env } = await startIndex(kind);
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLogger({ level: 'trace', pretty: 'off', serviceName: 's', destination } as never);
    const follower = await follow({ ...env, SYNC_MAX_ATTEMPTS: '1' }, { log });
    await generated(follower, double, 1, 5);
    double.faults.always({ kind: 'reset' });
    const secret = 'my-secret-words';
    const content = { words: secret };
    for (let id = 10n; id < 20n; id++)
      await follower.client.generate({ ...AT, elementId: id, content, comment: secret });
    await until('open', async () => (await follower.sync.getSyncStatus({})).breakerState !== 'closed');
    await until('counted', async () => (await follower.sync.getSyncStatus({})).oldestAgeSeconds > 0, 4_000);

    const ready = await get(follower.port, '/readyz');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.text)).toMatchObject({
      checks: { sync: { enabled: true, breaker: expect.stringMatching(/open/) } },
    });
    double.faults.clear();
    double.store.refuse('play_section_15_1');
    let next = 100n;
    await until('it is parked', async () => {
      await follower.client.generate({ ...AT, elementId: next++, content });
      return (await dirty(follower.file)).parked === 1;
    });
    const { text } = await get(follower.port, '/metrics');
    for (const name of [
      'dirty_documents',
      'parked_documents',
      'oldest_age_seconds',
      'documents_total{outcome="acknowledged"}',
      'documents_total{outcome="outage"}',
      'documents_total{outcome="parked"} 1',
      'send_seconds_count',
      'breaker_state{state="half_open"}',
      'breaker_transitions_total{state="open"}',
      'resync_progress_ratio 1',
    ])
      expect(text).toContain(`sequence_sync_${name}`);
    const states = [...text.matchAll(/sequence_sync_breaker_state\{.*\} (\d)/g)].map(([, value]) =>
      Number(value),
    );
    expect(states.reduce((sum, value) => sum + value, 0)).toBe(1);
    double.store.accept('play_section_15_1');
    await follower.sync.retryParked({ all: true });
    await converged(follower.file, double);
    await follower.app.stop();
    const told = lines.join('');
    expect(told).toContain('"document_id":"play_section_15_1"');
    expect(told).not.toContain(secret);
    expect(told).not.toContain('key"');
    expect(text).not.toContain(secret);
  },
);

test('without a target the log says once that sync is disabled', async () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'info', pretty: 'off', serviceName: 's', destination } as never);
  const { client } = await follow({}, { log });
  await client.generate({ ...AT, elementId: 1n });
  expect(lines.filter((line) => line.includes('sync disabled'))).toHaveLength(1);
});
