import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inFull, WatchedConnection } from '../domain/connections.ts';
import {
  batchGenerate,
  EFFORT,
  generate,
  move,
  openTestDatabase,
  patiently,
  remove,
  settled,
  startWriter,
  type TestDatabase,
} from '../domain/harness.ts';
import { startPostgresProxy } from '../support/postgres/proxy.ts';
import { startReplica } from './replica.ts';

/** Everything but what is random. */
async function contents(db: TestDatabase, scope: string): Promise<unknown[]> {
  const tables = ['element', 'dirty_document', 'change'].map((table) =>
    db.query(
      `SELECT to_jsonb(t) - 'mark' - 'batch_token' - 'sequence_id' AS row FROM ${table} t
       WHERE sequence_id = (SELECT id FROM sequence WHERE scope = ?) ORDER BY 1`,
      [scope],
    ),
  );
  const counters = db.query(`SELECT to_jsonb(t) - 'id' AS row FROM sequence t WHERE scope = ?`, [scope]);
  return await Promise.all([...tables, counters]);
}

test('one statement answers and writes what the long form does', async () => {
  const [one, other] = [await openTestDatabase(), await openTestDatabase()];
  let runs = 0;
  const write = fc.record({
    elementId: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 2 ** 31, 2 ** 53 - 1),
    comment: fc.constantFrom('', 'draft', "it's"),
    content: fc.constantFrom(null, '{"text":"To be"}'),
    caller: fc.constantFrom('', 'ann'),
  });
  const batch = fc.array(write, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 4, arbitrary: batch }, fc.constant('remove')), { maxLength: 6 }),
      async (steps) => {
        runs += 1;
        const sequence = { scope: `run-${runs}`, elementType: 'script' as const };
        let clock = 1_700_000_000_000;
        const writers = [one.database.writer, inFull(other.database.writer)].map(
          (connection) => startWriter(connection, { now: () => clock }).writer,
        );
        for (const step of steps) {
          const writes =
            step === 'remove'
              ? [remove(1, { sequence })]
              : step.map(({ elementId, ...rest }) => generate(elementId, { ...rest, sequence }));
          const [short, long] = await Promise.all(
            writers.map((writer) =>
              Promise.all(
                writes.map((each) =>
                  settled(writer.submit(each, { ...patiently(), deadline: clock + 60_000 })),
                ),
              ),
            ),
          );
          expect(short).toEqual(long);
          // It stands still, and goes back.
          clock -= 1;
        }
        await Promise.all(writers.map((writer) => writer.close()));
        expect(await contents(one, sequence.scope)).toEqual(await contents(other, sequence.scope));
      },
    ),
    { numRuns: 200 * EFFORT },
  );
  expect(await one.verify()).toEqual([]);
}, 120_000);

test('a batch is one transaction, or two where an element exists or the sequence is new', async () => {
  const db = await openTestDatabase();
  const connection = new WatchedConnection(db.database.writer);
  const { writer } = startWriter(connection);
  const batch = async (...ids: number[]) => {
    const before = connection.transactions;
    await Promise.all(ids.map((id) => settled(writer.submit(generate(id), patiently()))));
    return connection.transactions - before;
  };
  expect(await batch(1, 2)).toBe(2);
  expect(await batch(3, 4)).toBe(1);
  expect(await batch(5, 4)).toBe(2);
  // Twice in one batch is known before it is tried.
  expect(await batch(6, 6)).toBe(1);
  expect(await db.verify()).toEqual([]);
});

test('where its answer was lost and the order has moved on since, the outcome is unknown to its callers', async () => {
  const db = await openTestDatabase();
  const proxy = await startPostgresProxy(db.place);
  const { writer } = await startReplica(proxy.url(db.place));
  const other = await startReplica(db.place);
  await writer.submit(batchGenerate([1, 2, 3]), patiently());
  proxy.cutCommit({ lateMs: 200 });
  const cut = settled(writer.submit(generate(4), patiently()));
  const moves = [1, 2, 3].flatMap((id) => [
    settled(other.writer.submit(move(id, { at: 'first' }), patiently())),
    settled(other.writer.submit(move(id, { at: 'last' }), patiently())),
  ]);
  const { answer, error } = await cut;
  // It depends on who gets the lock first: the look for it, or the moves.
  if (error !== undefined) expect(error).toBe('OUTCOME_UNKNOWN');
  else expect(answer).toMatchObject({ element: { elementId: 4 } });
  await Promise.all(moves);
  expect(await db.query('SELECT count(*) AS n FROM element')).toEqual([{ n: 4 }]);
  expect(await db.verify()).toEqual([]);
});
