import { expect, test } from 'vitest';
import { generate, openTestDatabase, orderOf, patiently, SCENES, settled } from '../domain/harness.ts';
import { startPostgresProxy } from '../support/postgres/proxy.ts';
import { startReplica } from './replica.ts';

const UUID = '00000000-0000-4000-8000-000000000001';

async function start() {
  const db = await openTestDatabase();
  const proxy = await startPostgresProxy(db.place);
  return { db, proxy, ...(await startReplica(proxy.url(db.place))) };
}

test.each([
  ['exists', true],
  ['is made by the batch itself', false],
])('a commit cut off while the backend still commits is waited for; the sequence %s', async (_, exists) => {
  const { db, proxy, writer } = await start();
  if (exists) await writer.submit(generate(1), patiently());
  // One statement finds no sequence, and commits nothing; the long form makes it.
  proxy.cutCommit({ lateMs: 300 }, exists ? 0 : 1);
  const answers = await Promise.all([2, 3].map((id) => writer.submit(generate(id), patiently())));
  const before = exists ? 1 : 0;
  expect(answers.map(({ element }) => element.sequenceNumber)).toEqual([before + 1, before + 2]);
  expect(await orderOf(db)).toEqual(exists ? [1, 2, 3] : [2, 3]);
  expect(await db.query('SELECT count(*) AS n FROM change')).toEqual([{ n: before + 2 }]);
  expect(await db.verify()).toEqual([]);
});

test.each([
  ['exists', true],
  ['is made by the batch itself', false],
])('a commit that never arrives has written nothing, also not later; the sequence %s', async (_, exists) => {
  const { db, proxy, writer } = await start();
  if (exists) await writer.submit(generate(1), patiently());
  proxy.cutCommit({ lostMs: 300 }, exists ? 0 : 1);
  expect(await settled(writer.submit(generate(2), patiently()))).toEqual({ error: 'DATABASE_UNAVAILABLE' });
  expect(await orderOf(db)).toEqual(exists ? [1] : []);
  expect((await writer.submit(generate(2), patiently())).element.sequenceNumber).toBe(exists ? 2 : 1);
  expect(await db.verify()).toEqual([]);
});

test.each([true, false])(
  'a server that panics at the commit may have committed; alone: %s',
  async (alone) => {
    const { db, proxy, writer } = await start();
    await writer.submit(generate(1), patiently());
    proxy.cutCommit({ lateMs: 100, panics: true });
    const write = generate(2, alone ? {} : { requestId: UUID });
    expect((await writer.submit(write, patiently())).element.sequenceNumber).toBe(2);
    expect(await orderOf(db)).toEqual([1, 2]);
    expect(await db.verify()).toEqual([]);
  },
);

test('it is found behind what another replica has written since', async () => {
  const { db, proxy, writer } = await start();
  await writer.submit(generate(1), patiently());
  const other = await startReplica(db.place);
  proxy.cutCommit({ lateMs: 50 });
  const cut = writer.submit(generate(2, { requestId: UUID }), patiently());
  const others = Array.from({ length: 50 }, (_, id) => other.writer.submit(generate(100 + id), patiently()));
  expect((await cut).element.elementId).toBe(2);
  await Promise.all(others);
  expect(await orderOf(db)).toHaveLength(52);
  expect(await db.verify()).toEqual([]);
});

test('a connection that is ended at rest, or with a statement under way, costs one batch at most', async () => {
  const { db, writer } = await start();
  await writer.submit(generate(1), patiently());
  const end = () =>
    db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
  const results: unknown[] = [];
  for (let id = 2; id < 30; id++) {
    const writes = [generate(id), generate(id, { sequence: SCENES })].map((write) =>
      settled(writer.submit(write, patiently())),
    );
    if (id % 3 === 0) await end();
    results.push(...(await Promise.all(writes)).map(({ error }) => error));
  }
  for (const error of results)
    expect([undefined, 'DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(error);
  expect((await writer.submit(generate(1_000), patiently())).element.elementId).toBe(1_000);
  expect(await db.verify()).toEqual([]);
});

test('a connection that hangs is given up by the deadline, and service is back when it is reset', async () => {
  const { proxy, writer, db } = await start();
  await writer.submit(generate(1), patiently());
  proxy.hang();
  const hung = writer.submit(generate(2), { ...patiently(), deadline: Date.now() + 200 });
  expect((await settled(hung)).error).toBeDefined();
  proxy.reset();
  expect((await writer.submit(generate(3), patiently())).element.sequenceNumber).toBeGreaterThan(1);
  expect(await db.verify()).toEqual([]);
});

test('a connection that the server ends in the moment when it is made fails a write, and nothing else', async () => {
  const { proxy, writer } = await start();
  await writer.submit(generate(1), patiently());
  proxy.reset();
  await settled(writer.submit(generate(2), patiently()));
  proxy.reset();
  proxy.farewell();
  const writes = [3, 4, 5].map(async (id) => await settled(writer.submit(generate(id), patiently())));
  for (const { error } of await Promise.all(writes)) expect(error).toBe('DATABASE_UNAVAILABLE');
  expect(await settled(writer.submit(generate(6), patiently()))).toMatchObject({ answer: {} });
});
