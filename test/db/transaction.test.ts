import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DatabaseError } from '../../src/db/errors.ts';
import type { WriteTransaction } from '../../src/db/transaction.ts';
import { openTestDatabase, type TestDatabase } from '../domain/harness.ts';
import { capabilities } from '../engines/index.ts';

const INSERT = `INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
  VALUES (?1, 'script', 0, 0, 0, 0)`;
const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';

async function scopesOf(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ scope: string }>('SELECT scope FROM sequence ORDER BY id');
  return rows.map(({ scope }) => scope);
}

/** Runs a transaction and returns the DatabaseError that it fails with. */
async function failureOf(
  { database }: TestDatabase,
  body: (tx: WriteTransaction) => Promise<unknown>,
  timeoutMs = 5_000,
): Promise<DatabaseError> {
  const error = await database.writer.transaction(body, timeoutMs).then(
    () => undefined,
    (error) => error,
  );
  expect(error).toBeInstanceOf(DatabaseError);
  return error;
}

test('it commits when its body resolves, statements that nobody awaited included', async () => {
  const db = await openTestDatabase();
  const result = await db.database.writer.transaction(async (tx) => {
    tx.execute(INSERT, ['a']);
    tx.execute(INSERT, ['b']);
    return 'done';
  }, 5_000);
  expect(result).toBe('done');
  expect(await scopesOf(db)).toEqual(['a', 'b']);
});

test('it rolls back when its body throws, and passes on what was thrown', async () => {
  const db = await openTestDatabase();
  const thrown = new Error('no');
  const transaction = db.database.writer.transaction(async (tx) => {
    await tx.query(INSERT, ['a']);
    tx.execute(INSERT, ['b']);
    throw thrown;
  }, 5_000);
  await expect(transaction).rejects.toBe(thrown);
  expect(await scopesOf(db)).toEqual([]);
});

test('its handle dies with it', async () => {
  const db = await openTestDatabase();
  const leaked: WriteTransaction[] = [];
  await db.database.writer.transaction(async (tx) => leaked.push(tx), 5_000);
  await db.database.writer
    .transaction(async (tx) => {
      leaked.push(tx);
      throw new Error('no');
    }, 5_000)
    .catch(() => {});
  for (const tx of leaked) {
    await expect(tx.query(INSERT, ['late'])).rejects.toThrow('the transaction has ended');
    tx.execute(INSERT, ['late']);
  }
  await setTimeout(10);
  await db.database.writer.transaction(async () => {}, 5_000);
  expect(await scopesOf(db)).toEqual([]);
});

test('after a statement has failed none runs any more, and nothing is committed', async () => {
  const db = await openTestDatabase();
  const later: unknown[] = [];
  const error = await failureOf(db, async (tx) => {
    tx.execute(INSERT, ['a']);
    tx.execute('INSERT INTO sequence (id) VALUES (1)');
    tx.execute(INSERT, ['b']);
    await tx.query(INSERT, ['c']).catch((error) => later.push(error));
    await tx.query('SELECT 1').catch((error) => later.push(error));
    return 'the body does not mind';
  });
  expect(error.kind).toBe('data');
  expect(later).toEqual([error, error]);
  expect(await scopesOf(db)).toEqual([]);
});

test.skipIf(!capabilities.mayRollBackByItself)(
  'where it is rolled back by itself, what follows is not committed on its own',
  async () => {
    const db = await openTestDatabase();
    await db.database.writer.transaction(
      (tx) =>
        tx.query(`CREATE TRIGGER bomb BEFORE INSERT ON sequence WHEN NEW.scope = 'bomb'
        BEGIN SELECT RAISE(ROLLBACK, 'boom'); END`),
      5_000,
    );
    const error = await failureOf(db, async (tx) => {
      await tx.query(INSERT, ['before']);
      tx.execute(INSERT, ['bomb']);
      tx.execute(INSERT, ['after']);
      await tx.query(INSERT, ['later']).catch(() => {});
      await tx.query(INSERT, ['latest']).catch(() => {});
    });
    expect(error.message).toContain('boom');
    expect(await scopesOf(db)).toEqual([]);
    await db.database.writer.transaction((tx) => tx.query(INSERT, ['next']), 5_000);
    expect(await scopesOf(db)).toEqual(['next']);
  },
);

test.skipIf(capabilities.manyWriters)('transactions of several callers run one after another', async () => {
  const db = await openTestDatabase();
  const log: string[] = [];
  await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      db.database.writer.transaction(async (tx) => {
        log.push(`${name} begins`);
        await tx.query(INSERT, [name]);
        await setTimeout(2);
        log.push(`${name} ends`);
      }, 5_000),
    ),
  );
  expect(log).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

test('a slow statement is interrupted, the transaction rolled back, the next one unharmed', async () => {
  const db = await openTestDatabase();
  const error = await failureOf(
    db,
    async (tx) => {
      tx.execute(INSERT, ['a']);
      tx.execute(ENDLESS);
      tx.execute(INSERT, ['b']);
    },
    50,
  );
  expect(error.kind).toBe('timeout');
  await db.database.writer.transaction((tx) => tx.query(INSERT, ['next']), 5_000);
  expect(await scopesOf(db)).toEqual(['next']);
});

test('a body that is slow between its statements is rolled back too', async () => {
  const db = await openTestDatabase();
  const error = await failureOf(
    db,
    async (tx) => {
      await tx.query(INSERT, ['a']);
      await setTimeout(60);
    },
    20,
  );
  expect(error.kind).toBe('timeout');
  expect(await scopesOf(db)).toEqual([]);
});

test('a statement that is alone runs when the body has ended, and is committed with its answer', async () => {
  const db = await openTestDatabase();
  const rows = await db.database.writer.transaction(async (tx) => {
    const answer = tx.alone(`${INSERT} RETURNING scope`, ['a']);
    await setTimeout(20);
    expect(await scopesOf(db)).toEqual([]);
    return { answer };
  }, 5_000);
  expect(await scopesOf(db)).toEqual(['a']);
  expect(await rows.answer).toEqual([{ scope: 'a' }]);
});

test('a statement that is alone does not run where the body throws', async () => {
  const db = await openTestDatabase();
  const thrown = new Error('no');
  let answer: Promise<unknown> | undefined;
  const transaction = db.database.writer.transaction(async (tx) => {
    answer = tx.alone(INSERT, ['a']);
    throw thrown;
  }, 5_000);
  await expect(transaction).rejects.toBe(thrown);
  await expect(answer).rejects.toBe(thrown);
  expect(await scopesOf(db)).toEqual([]);
});

test('a statement that is alone fails its transaction, and the next one is unharmed', async () => {
  const db = await openTestDatabase();
  let answer: Promise<unknown> | undefined;
  const error = await failureOf(db, async (tx) => {
    answer = tx.alone(INSERT, [null]);
  });
  expect(error.kind).toBe('data');
  await expect(answer).rejects.toThrow();
  await db.database.writer.transaction(async (tx) => void tx.alone(INSERT, ['b']), 5_000);
  expect(await scopesOf(db)).toEqual(['b']);
});

test('a statement that is alone and slow is interrupted, and the next one is unharmed', async () => {
  const db = await openTestDatabase();
  const endless = `INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
    SELECT ?1, 'script', 0, 0, 0, n FROM (${ENDLESS.replace('count(*)', 'count(*) AS n')}) counted`;
  const error = await failureOf(db, async (tx) => void tx.alone(endless, ['a']), 50);
  expect(error.kind).toBe('timeout');
  await db.database.writer.transaction(async (tx) => void tx.alone(INSERT, ['next']), 5_000);
  expect(await scopesOf(db)).toEqual(['next']);
});

test('behind others a statement that was to be alone is one of them', async () => {
  const db = await openTestDatabase();
  const error = await failureOf(db, async (tx) => {
    tx.execute(INSERT, ['a']);
    tx.alone(INSERT, [null]).catch(() => {});
  });
  expect(error.kind).toBe('data');
  expect(await scopesOf(db)).toEqual([]);
});

test('nothing may come after a statement that is alone', async () => {
  const db = await openTestDatabase();
  const error = await failureOf(db, async (tx) => {
    tx.alone(INSERT, ['a']).catch(() => {});
    tx.execute(INSERT, ['b']);
  });
  expect(error.message).toContain('alone');
  expect(await scopesOf(db)).toEqual([]);
});

test('readers see nothing before the commit', async () => {
  const db = await openTestDatabase();
  await db.database.writer.transaction(async (tx) => {
    await tx.query(INSERT, ['a']);
    expect(await scopesOf(db)).toEqual([]);
    expect(await db.database.reads.getSequence('a', 'script')).toBeUndefined();
  }, 5_000);
  expect(await db.database.reads.getSequence('a', 'script')).toBeDefined();
});

test('closed, it has finished its transaction', async () => {
  const db = await openTestDatabase();
  let finished = false;
  const running = db.database.writer.transaction(async (tx) => {
    await tx.query(INSERT, ['a']);
    await setTimeout(30);
    finished = true;
  }, 5_000);
  await setTimeout(5);
  await db.database.close();
  expect(finished).toBe(true);
  await running;
});
