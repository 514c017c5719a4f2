import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import type { WriteTransaction } from '../../src/db/transaction.ts';
import { DrainingError } from '../../src/domain/errors.ts';
import { Writer } from '../../src/domain/writer.ts';
import { createMetrics } from '../../src/metrics.ts';
import { placeOf } from '../support/place.ts';
import { databaseFile } from './harness.ts';
import { all } from './index-truth.ts';

const SEQUENCE = { scope: 's', elementType: 'script' } as const;

async function start() {
  const file = await databaseFile();
  const database = await openDatabase(placeOf(file));
  const errors: unknown[] = [];
  const writer = new Writer({
    connection: database.writer,
    limits: { maxBatch: 100, maxQueue: 100, maxQueueBytes: 1e7, maxRenumber: 100 },
    metrics: createMetrics().writer,
    now: Date.now,
    onCommit: () => {},
    onError: (error) => errors.push(error),
  });
  onTestFinished(async () => {
    await writer.close();
    await database.close();
  });
  const generate = (elementId: number) =>
    writer.submit(
      { kind: 'generate', sequence: SEQUENCE, caller: '', elementId, comment: '', content: null } as never,
      { signal: new AbortController().signal, deadline: Date.now() + 5_000 } as never,
    );
  return { file, writer, generate, errors };
}

const note = (generation: number) => async (tx: WriteTransaction) => {
  tx.execute('INSERT INTO resync (generation, marked, total, create_time) VALUES (?1, 0, 0, 0)', [
    generation,
  ]);
  return generation;
};
const noted = (file: string) => all<{ generation: number }>(file, 'SELECT generation FROM resync ORDER BY 1');

test('a task is committed by itself, and what it returned is told after that', async () => {
  const { file, writer } = await start();
  expect(await writer.join(note(7))).toBe(7);
  expect(await noted(file)).toEqual([{ generation: 7 }]);
});

test('tasks run behind the writes of their batch, in their order, and see them', async () => {
  const { writer, generate } = await start();
  const seen: number[] = [];
  const count = (index: number) => async (tx: WriteTransaction) => {
    const [row] = await tx.query<{ n: number }>('SELECT count(*) AS n FROM element');
    seen.push(index, row!.n);
  };
  await Promise.all([writer.join(count(1)), generate(1), writer.join(count(2)), generate(2)]);
  expect(seen).toEqual([1, 2, 2, 2]);
});

test.each([
  ['throws', () => Promise.reject(new Error('mine'))],
  [
    'gives a statement that is refused',
    async (tx: WriteTransaction) => tx.execute('INSERT INTO resync (generation) VALUES (1)'),
  ],
])('a task that %s does not fail the writes of its batch', async (_what, task) => {
  const { file, writer, generate, errors } = await start();
  const [one, failed, two] = await Promise.allSettled([generate(1), writer.join(task), generate(2)]);
  expect([one.status, failed.status, two.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await all(file, 'SELECT element_id FROM element')).toHaveLength(2);
  expect(errors).toEqual([]);
  // And the writer goes on.
  expect(await writer.join(note(3))).toBe(3);
});

test('a task that fails does not fail another one', async () => {
  const { file, writer } = await start();
  const outcomes = await Promise.allSettled([
    writer.join(note(1)),
    writer.join(() => Promise.reject(new Error('mine'))),
    writer.join(note(2)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await noted(file)).toEqual([{ generation: 1 }, { generation: 2 }]);
});

test('a closed writer takes no task; one that it had taken is done', async () => {
  const { file, writer } = await start();
  const taken = writer.join(note(1));
  await writer.close();
  expect(await taken).toBe(1);
  await expect(writer.join(note(2))).rejects.toThrow(DrainingError);
  expect(await noted(file)).toEqual([{ generation: 1 }]);
});
