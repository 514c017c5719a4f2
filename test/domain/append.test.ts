import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capabilities } from '../engines/index.ts';
import { inFull, WatchedConnection } from './connections.ts';
import {
  EFFORT,
  generate,
  openTestDatabase,
  patiently,
  remove,
  SCENES,
  SCRIPTS,
  settled,
  startWriter,
  type TestDatabase,
} from './harness.ts';

/** Everything of the scopes but what is random, and the ids of sequences. */
async function contents(db: TestDatabase, scopes: readonly string[]): Promise<unknown[]> {
  const columns = {
    element: 'element_id, sequence_number, version_number, create_time, update_time, t.comment, content',
    dirty_document:
      'element_id, version_number, since_revision, wanted_revision, since_time, priority, attempts, next_try_time, error',
    change: 't.revision, change_time, kind, comment, caller, request_id, request_hash, answer',
  };
  const tables = Object.entries(columns).map(([table, names]) =>
    db.query(
      `SELECT s.scope, ${names} FROM ${table} t JOIN sequence s ON s.id = t.sequence_id
       WHERE s.scope IN (?, ?) ORDER BY 1, 2, 3`,
      [...scopes],
    ),
  );
  const counters = db.query(
    `SELECT scope, element_type, size, revision, order_revision, last_change_time FROM sequence
     WHERE scope IN (?, ?) ORDER BY 1`,
    [...scopes],
  );
  return await Promise.all([...tables, counters]);
}

test('one statement answers and writes what the long form does', async () => {
  const [one, other] = [await openTestDatabase(), await openTestDatabase()];
  let runs = 0;
  const write = fc.record({
    scope: fc.constantFrom('a', 'b'),
    elementId: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 2 ** 31, 2 ** 53 - 1),
    comment: fc.constantFrom('', 'draft', "it's"),
    content: fc.constantFrom(null, '{"text":"To be"}'),
    caller: fc.constantFrom('', 'ann'),
  });
  const batch = fc.oneof(
    fc.array(write, { minLength: 1, maxLength: 8 }),
    // Of one sequence alone, and nothing twice: what one statement can do on either engine.
    fc
      .uniqueArray(write, { minLength: 1, maxLength: 8, selector: ({ elementId }) => elementId })
      .map((writes) => writes.map((each) => ({ ...each, scope: 'a' }))),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 4, arbitrary: batch }, fc.constant('remove')), { maxLength: 6 }),
      async (steps) => {
        runs += 1;
        const named = (scope: string) => `run-${runs}-${scope}`;
        let clock = 1_700_000_000_000;
        const writers = [one.database.writer, inFull(other.database.writer)].map(
          (connection) => startWriter(connection, { now: () => clock }).writer,
        );
        for (const step of steps) {
          const writes =
            step === 'remove'
              ? [remove(1, { sequence: { ...SCRIPTS, scope: named('a') } })]
              : step.map(({ elementId, scope, ...rest }) =>
                  generate(elementId, { ...rest, sequence: { ...SCRIPTS, scope: named(scope) } }),
                );
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
        const scopes = ['a', 'b'].map(named);
        expect(await contents(one, scopes)).toEqual(await contents(other, scopes));
      },
    ),
    { numRuns: 200 * EFFORT },
  );
  expect(await one.verify()).toEqual([]);
}, 120_000);

test.skipIf(capabilities.locksRows)(
  'where no rows are locked, one statement makes sequences and writes several',
  async () => {
    const db = await openTestDatabase();
    const connection = new WatchedConnection(db.database.writer);
    const { writer } = startWriter(connection);
    const batch = async (...ids: number[]) => {
      const before = connection.transactions;
      const writes = ids.flatMap((id) => [generate(id), generate(id, { sequence: SCENES })]);
      await Promise.all(writes.map((write) => settled(writer.submit(write, patiently()))));
      return connection.transactions - before;
    };
    expect(await batch(1, 2)).toBe(1);
    expect(await batch(3)).toBe(1);
    // What exists in one sequence refuses the statement; the long form tells which it is.
    await writer.submit(generate(5), patiently());
    expect(await batch(4, 5)).toBe(2);
    expect(await db.query('SELECT scope, element_type AS type, size FROM sequence ORDER BY 2')).toEqual([
      { scope: 'play', type: 'script', size: 5 },
      { scope: 'play', type: 'section', size: 5 },
    ]);
    expect(await db.verify()).toEqual([]);
  },
);
