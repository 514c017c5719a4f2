import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { DatabaseError } from '../../src/db/errors.ts';
import { openTestDatabase, type TestDatabase } from '../domain/harness.ts';
import { startReplica } from './replica.ts';

const INSERT = `INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
  VALUES (?1, 'script', 0, 0, 0, 0)`;

async function scopesOf(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ scope: string }>('SELECT scope FROM sequence ORDER BY scope');
  return rows.map(({ scope }) => scope);
}

test('transactions of several callers run side by side', async () => {
  const db = await openTestDatabase();
  const { promise: both, resolve } = Promise.withResolvers<void>();
  let open = 0;
  await Promise.all(
    ['a', 'b'].map((scope) =>
      db.database.writer.transaction(async (tx) => {
        await tx.query(INSERT, [scope]);
        open += 1;
        if (open === 2) resolve();
        await both;
      }, 5_000),
    ),
  );
  expect(await scopesOf(db)).toEqual(['a', 'b']);
});

test('a transaction that is over before its statement is, does not end the next one on its connection', async () => {
  const db = await openTestDatabase();
  for (let round = 0; round < 20; round++) {
    // It is cancelled at about the moment at which it commits.
    const short = db.database.writer.transaction((tx) => tx.query('SELECT pg_sleep(0.010)'), 11);
    const outcome = await short.catch((error: unknown) => error);
    if (outcome instanceof DatabaseError) expect(outcome.kind).toBe('timeout');
    await db.database.writer.transaction(async (tx) => {
      tx.execute(INSERT, [`r${round}`]);
      await tx.query('SELECT pg_sleep(0.005)');
    }, 5_000);
  }
  expect(await scopesOf(db)).toHaveLength(20);
});

test('a commit that the server warns about is not taken for done', async () => {
  const db = await openTestDatabase();
  // What a server with a synchronous standby says when it stops waiting for it comes at the commit, as a warning.
  await db.query(`CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$`);
  await db.query(`CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON sequence
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()`);
  const error = await db.database.writer
    .transaction((tx) => tx.query(INSERT, ['a']), 5_000)
    .catch((failure: unknown) => failure);
  expect(error).toMatchObject({ kind: 'outcome_unknown' });
  const alone = await db.database.writer
    .transaction(async (tx) => void tx.alone(INSERT, ['b']), 5_000)
    .catch((failure: unknown) => failure);
  expect(alone).toMatchObject({ kind: 'outcome_unknown' });
});

test('a statement that is alone has the isolation that the writer counts on, whatever the server has', async () => {
  const db = await openTestDatabase();
  await db.query(
    `DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
      EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    END $$`,
  );
  const again = await startReplica(db.place);
  const rows = await again.database.writer.transaction(async (tx) => {
    const answer = tx.alone<{ isolation: string; scope: string }>(
      `${INSERT} RETURNING scope, current_setting('transaction_isolation') AS isolation`,
      ['a'],
    );
    return { answer };
  }, 5_000);
  expect(await rows.answer).toEqual([{ scope: 'a', isolation: 'read committed' }]);
});

test('a constraint that is only checked at the commit is a fault of data', async () => {
  const db = await openTestDatabase();
  await db.query('ALTER TABLE sequence ADD CONSTRAINT late UNIQUE (size) DEFERRABLE INITIALLY DEFERRED');
  const both = db.database.writer.transaction(async (tx) => {
    tx.execute(INSERT, ['a']);
    tx.execute(INSERT, ['b']);
  }, 5_000);
  await expect(both).rejects.toMatchObject({ kind: 'data' });
  const alone = db.database.writer.transaction(
    async (tx) => void tx.alone(`${INSERT}, (?2, 'script', 0, 0, 0, 0)`, ['a', 'b']),
    5_000,
  );
  await expect(alone).rejects.toMatchObject({ kind: 'data' });
  expect(await scopesOf(db)).toEqual([]);
});

test('its connections are given back: there are no more than it was told, and none is left in a transaction', async () => {
  const db = await openTestDatabase();
  await Promise.allSettled(
    Array.from({ length: 30 }, (_, index) =>
      db.database.writer.transaction(
        async (tx) => {
          await tx.query(INSERT, [`s${index}`]);
          if (index % 3 === 0) throw new Error('no');
          if (index % 3 === 1) await tx.query('SELECT pg_sleep(10)');
        },
        index % 3 === 1 ? 20 : 5_000,
      ),
    ),
  );
  await sleep(50);
  const rows = await db.query<{ state: string }>(
    `SELECT state FROM pg_stat_activity WHERE application_name LIKE '% write' AND datname = current_database()`,
  );
  // Two that write, one to cancel what they run, one for leases.
  expect(rows.length).toBeLessThanOrEqual(4);
  for (const { state } of rows) expect(state).toBe('idle');
  expect(await scopesOf(db)).toHaveLength(10);
});

test('the error of a constraint tells nothing of the row', async () => {
  const db = await openTestDatabase();
  await db.query(`ALTER TABLE sequence ADD CHECK (scope <> 'secret')`);
  const error = await db.database.writer
    .transaction((tx) => tx.query(INSERT, ['secret']), 5_000)
    .catch((failure: unknown) => failure);
  expect(error).toMatchObject({ kind: 'data', cause: { code: '23514' } });
  expect(inspect(error, { depth: 10 })).not.toContain('secret');
});
