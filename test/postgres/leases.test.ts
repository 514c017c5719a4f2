import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import type { Claim } from '../../src/sync/claims.ts';
import { LeasedClaims } from '../../src/sync/leased-claims.ts';
import { Memory } from '../../src/sync/memory.ts';
import { ENGINE } from '../engines/index.ts';
import { startAppOn } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { placeOf } from '../support/place.ts';
import { until } from '../support/until.ts';
import { AT } from '../sync/harness.ts';
import { all } from '../sync/index-truth.ts';

const MIB = 1024 * 1024;
const SETTLE_MS = 2_000;
const IDENTITY = 'the index';

/** A database without a service that sends, and claims on it as replicas make them. */
async function start() {
  const { url, file } = await startAppOn(await ENGINE.newPlace());
  const database = await openDatabase({ ...placeOf(file), writers: 4 });
  const connection = await ENGINE.connect(file);
  onTestFinished(async () => {
    await connection.close();
    await database.close();
  });
  await connection.query(`INSERT INTO sync_target VALUES (1, '${IDENTITY}', 1, 0)`);
  const errors: unknown[] = [];
  const replica = (leaseMs = 60_000) => {
    const memory = new Memory();
    let retargeted = 0;
    const claims = new LeasedClaims({
      connection: database.writer,
      memory,
      leaseMs,
      settleMs: SETTLE_MS,
      now: Date.now,
      identity: IDENTITY,
      onRetargeted: () => {
        retargeted += 1;
      },
      onError: (error) => errors.push(error),
    });
    onTestFinished(() => claims.close());
    const take = async (documents: number, bytes = 4 * MIB) => await claims.take({ documents, bytes });
    return { claims, memory, take, retargeted: () => retargeted };
  };
  const client = sequenceClient(url);
  const generate = (first: number, last: number, content?: { text: string }) =>
    client.batchGenerate({
      ...AT,
      items: Array.from({ length: last - first + 1 }, (_, index) => ({
        elementId: BigInt(first + index),
        ...(content === undefined ? {} : { content }),
      })),
    });
  const settle = (claims: LeasedClaims, cleared: Claim[]) =>
    database.writer.transaction((tx) => claims.settle(tx, cleared, []), 5_000);
  return { client, file, database, connection, replica, generate, settle, errors };
}

const elements = (claims: readonly Claim[]) => claims.map(({ due }) => due.elementId).sort((a, b) => a - b);
const sent = (claims: readonly Claim[]) => {
  for (const claim of claims) {
    claim.advance('sending');
    claim.advance('settling');
  }
};

test('what one holds the other does not get, until it is given back', async () => {
  const { generate, replica } = await start();
  const [a, b] = [replica(), replica()];
  await generate(1, 10);
  const first = await a.take(6);
  expect(elements(first.claims)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(elements((await b.take(20)).claims)).toEqual([7, 8, 9, 10]);
  expect((await b.take(20)).claims).toEqual([]);
  a.claims.release(first.claims);
  await until('given back', () => a.claims.held === 0);
  expect(elements((await b.take(20)).claims)).toEqual([1, 2, 3, 4, 5, 6]);
  // It was never sent: nothing is on its way.
  expect(b.memory.unsettled(performance.now())).toBe(false);
});

test('many take at once, and each document has one holder', async () => {
  const { generate, replica } = await start();
  await generate(1, 400);
  const replicas = [replica(), replica(), replica()];
  const taken: number[] = [];
  await Promise.all(
    replicas.map(async ({ take }) => {
      for (let round = 0; round < 30 && taken.length < 400; round++)
        taken.push(...elements((await take(20)).claims));
    }),
  );
  expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
});

test('after the end of a lease the next holder distrusts the document until SYNC_SETTLE after it', async () => {
  const { generate, replica } = await start();
  const [a, b] = [replica(300), replica()];
  await generate(1, 3);
  const before = performance.now();
  await a.take(3);
  const after = performance.now();
  expect((await b.take(3)).claims).toEqual([]);
  await sleep(400);
  const { claims } = await b.take(3);
  expect(elements(claims)).toEqual([1, 2, 3]);
  for (const { id } of claims) {
    expect(b.memory.unsettledUntil(id)).toBeGreaterThan(before + 300 + SETTLE_MS - 5);
    // The database's clock begins later than ours, by the way there at most.
    expect(b.memory.unsettledUntil(id)).toBeLessThan(after + 300 + SETTLE_MS + 1_000);
  }
  // Given back unsent, it stays in doubt for whoever comes next.
  b.claims.release(claims);
  await until('given back', () => b.claims.held === 0);
  const c = replica();
  const again = await c.take(3);
  expect(elements(again.claims)).toEqual([1, 2, 3]);
  expect(c.memory.unsettled(performance.now())).toBe(true);
});

test('who has lost his lease clears nothing, and frees nothing', async () => {
  const { generate, replica, settle, file } = await start();
  const [a, b] = [replica(200), replica()];
  await generate(1, 2);
  const late = await a.take(2);
  await sleep(300);
  const { claims } = await b.take(2);
  expect(claims).toHaveLength(2);
  sent(late.claims);
  expect(await settle(a.claims, late.claims)).toBe(false);
  a.claims.release(late.claims);
  await until('let go', () => a.claims.held === 0);
  expect(await all(file, 'SELECT 1 FROM dirty_document')).toHaveLength(2);
  expect((await a.take(2)).claims).toEqual([]);
  sent(claims);
  expect(await settle(b.claims, claims)).toBe(true);
  expect(await all(file, 'SELECT 1 FROM dirty_document')).toEqual([]);
});

test('a document that changes while it is held keeps its holder; its acknowledgement clears the old state only', async () => {
  const { client, generate, replica, settle, file } = await start();
  const [a, b] = [replica(), replica()];
  const { revision } = await generate(1, 1);
  const { claims } = await a.take(1);
  await client.move({ ...AT, elementId: 1n, target: { case: 'first', value: true } });
  await generate(2, 2);
  await client.move({ ...AT, elementId: 1n, target: { case: 'last', value: true } });
  expect(elements((await b.take(5)).claims)).toEqual([2]);
  sent(claims);
  expect(await settle(a.claims, claims)).toBe(true);
  a.claims.release(claims, true);
  const [row] = await all<{ since_revision: number; lease_owner: string | null }>(
    file,
    'SELECT since_revision, lease_owner FROM dirty_document WHERE element_id = 1',
  );
  expect(row).toMatchObject({ lease_owner: null });
  expect(Number(row!.since_revision)).toBe(Number(revision) + 1);
  expect(elements((await b.take(5)).claims)).toEqual([1]);
});

test('a writer’s rows are passed over, and nobody waits', async () => {
  const { generate, replica, connection } = await start();
  const a = replica();
  await generate(1, 4);
  await connection.query('BEGIN');
  await connection.query('SELECT 1 FROM dirty_document WHERE element_id = 2 FOR UPDATE');
  const { claims } = await a.take(4);
  expect(elements(claims)).toEqual([1, 3, 4]);
  await connection.query('SELECT 1 FROM dirty_document WHERE element_id = 3 FOR UPDATE SKIP LOCKED');
  a.claims.release(claims);
  await sleep(100);
  await connection.query('ROLLBACK');
  await until('given back once the writer has ended', () => a.claims.held === 0);
  expect(elements((await a.take(4)).claims)).toEqual([1, 2, 3, 4]);
});

test('a claim holds so much content at most, and one document at least', async () => {
  const { generate, replica } = await start();
  const a = replica();
  await generate(1, 8, { text: 'x'.repeat(100_000) });
  expect((await a.take(100, 350_000)).claims).toHaveLength(3);
  expect((await a.take(100, 10)).claims).toHaveLength(1);
  const { claims: last } = await a.take(100);
  expect(last).toHaveLength(4);
  expect(last[0]!.state).toMatchObject({ content: expect.stringMatching(/^\{"text":"x{100000}"\}$/) });
});

test('states are read after the claim: null for what is gone; a replaced version waits for the latest', async () => {
  const { client, generate, replica } = await start();
  const a = replica();
  await generate(1, 2);
  await client.createVersion({ ...AT, elementId: 1n, comment: 'second' });
  await client.remove({ ...AT, elementId: 2n });
  const { claims } = await a.take(10);
  expect(claims.map(({ id, state }) => [id, state?.isLatest, state?.comment])).toEqual([
    ['play_section_1_2', true, 'second'],
    ['play_section_2_1', undefined, undefined],
  ]);
});

test('documents are of the generation that was begun before they were taken, and go to no other target', async () => {
  const { generate, replica, connection } = await start();
  const a = replica();
  await generate(1, 2);
  expect((await a.take(1)).claims[0]!.generation).toBe(1);
  await connection.query('UPDATE sync_target SET generation = 7');
  expect((await a.take(1)).claims[0]!.generation).toBe(7);
  await generate(3, 3);
  await connection.query(`UPDATE sync_target SET identity = 'another'`);
  expect((await a.take(1)).claims).toEqual([]);
  expect(a.retargeted()).toBe(1);
});

test('low priority has a share beside what callers write, and all of it without', async () => {
  const { generate, replica, connection } = await start();
  const a = replica();
  await generate(1, 100);
  await connection.query('UPDATE dirty_document SET priority = 1 WHERE element_id <= 50');
  const { claims } = await a.take(20);
  expect(claims.filter(({ due }) => due.elementId <= 50)).toHaveLength(5);
  await connection.query('UPDATE dirty_document SET priority = 1');
  expect((await a.take(20)).claims).toHaveLength(20);
});

test('what waits for longer than any wait, since the database’s clock was put back, is due', async () => {
  const { generate, replica, connection } = await start();
  const a = replica();
  await generate(1, 3);
  const micros = (hours: number) => `(extract(epoch FROM now()) * 1000000)::bigint + ${hours} * 3600000000`;
  await connection.query(`UPDATE dirty_document SET next_try_time = ${micros(1)} WHERE element_id = 1`);
  await connection.query(
    `UPDATE dirty_document SET lease_owner = 'x', lease_expire_time = ${micros(5)} WHERE element_id = 2`,
  );
  expect(elements((await a.take(3)).claims)).toEqual([3]);
  await a.claims.mindTheClock(60_000);
  expect(elements((await a.take(3)).claims)).toEqual([1]);
  // Half an hour is longer than any lease.
  const [row] = await connection.query<{ left: number }>(
    `SELECT (lease_expire_time - (${micros(0)})) / 1000000 AS left FROM dirty_document WHERE element_id = 2`,
  );
  expect(Number(row!.left)).toBeLessThanOrEqual(30 * 60);
});
