import { expect, test } from 'vitest';
import { WatchedConnection } from '../domain/connections.ts';
import {
  batchGenerate,
  generate,
  move,
  openTestDatabase,
  patiently,
  settled,
  startWriter,
} from '../domain/harness.ts';
import { startPostgresProxy } from '../support/postgres/proxy.ts';
import { startReplica } from './replica.ts';

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
