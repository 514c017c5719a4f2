import { expect, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import type { WriteConnection } from '../../src/db/transaction.ts';
import {
  batchGenerate,
  generate,
  move,
  openTestDatabase,
  patiently,
  remove,
  settled,
  startWriter,
} from '../domain/harness.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { startReplica } from './replica.ts';

const UUID = '00000000-0000-4000-8000-000000000001';

test('two replicas, batches over the same 64 sequences: dense, nothing lost, no error to callers', async () => {
  const db = await openTestDatabase();
  const replicas = [await startReplica(db.place), await startReplica(db.place)];
  const sequences = Array.from({ length: 64 }, (_, n) => ({
    scope: `s${n}`,
    elementType: 'script' as const,
  }));
  const results = await Promise.all(
    replicas.flatMap(({ writer }, replica) =>
      sequences.flatMap((sequence, n) =>
        Array.from({ length: 12 }, async (_, caller) => {
          const id = 1_000 * (replica + 1) + 10 * caller;
          const first = await settled(writer.submit(generate(id, { sequence }), patiently()));
          const others = [
            () => batchGenerate([id + 1, id + 2], { sequence }),
            () => generate(id + 3, { sequence, target: { at: 'first' } }),
            () => move(id, { at: 'first' }, { sequence }),
            () => remove(id, { sequence }),
          ];
          return [first, await settled(writer.submit(others[(n + caller) % 4]!(), patiently()))];
        }),
      ),
    ),
  );
  expect(results.flat().filter(({ error }) => error !== undefined)).toEqual([]);
  for (const { errors } of replicas) expect(errors).toEqual([]);
  expect(await db.verify()).toEqual([]);
  // Of four writes that follow the first one of each caller, one adds two elements, one adds one, one takes one out.
  const callers = 2 * 64 * 12;
  expect(await db.query('SELECT sum(size)::integer AS size FROM sequence')).toEqual([
    { size: callers + (callers / 4) * (2 + 1 - 1) },
  ]);
});

test('a sequence that many replicas use for the first time at once is made once', async () => {
  const db = await openTestDatabase();
  const replicas = await Promise.all(Array.from({ length: 5 }, () => startReplica(db.place)));
  const answers = await Promise.all(
    replicas.flatMap(({ writer }, replica) =>
      [1, 2, 3, 4].map((id) => writer.submit(generate(10 * replica + id), patiently())),
    ),
  );
  const numbers = answers.map(({ element }) => element.sequenceNumber).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  for (const { errors } of replicas) expect(errors).toEqual([]);
  expect(await db.verify()).toEqual([]);
});

test('a request that is repeated at another replica gets the first answer, also while the first runs', async () => {
  const db = await openTestDatabase();
  const [one, two] = [await startReplica(db.place), await startReplica(db.place)];
  const write = generate(1, { requestId: UUID });
  const answers = await Promise.all([one, two].map(({ writer }) => writer.submit(write, patiently())));
  answers.push(await two.writer.submit(write, patiently()), await one.writer.submit(write, patiently()));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  const other = generate(2, { requestId: UUID });
  expect(await settled(two.writer.submit(other, patiently()))).toEqual({ error: 'REQUEST_ID_REUSED' });
  expect(await db.query('SELECT revision FROM change')).toEqual([{ revision: 1 }]);
  expect(await db.verify()).toEqual([]);
});

test('a first write that is repeated at another replica while the first commits gets the same answer', async () => {
  const db = await openTestDatabase();
  const [one, two] = [await startReplica(db.place), await startReplica(db.place)];
  const write = generate(1, { requestId: UUID });
  let first: Promise<unknown> | undefined;
  // The other replica commits after this one has looked for the sequence and the request, and before it looks for the element.
  const late: WriteConnection = {
    transaction: (body, timeoutMs) =>
      two.database.writer.transaction((tx) => {
        let asked = 0;
        return body({
          engine: tx.engine,
          execute: (sql, parameters) => tx.execute(sql, parameters),
          alone: (sql, parameters) => tx.alone(sql, parameters),
          async query(sql, parameters) {
            asked += 1;
            if (asked > 2) first ??= one.writer.submit(write, patiently());
            await first;
            return await tx.query(sql, parameters);
          },
        });
      }, timeoutMs),
  };
  const { writer } = startWriter(late);
  const answer = await writer.submit(write, patiently());
  expect(answer).toEqual(await first);
  expect(await db.query('SELECT revision FROM change')).toEqual([{ revision: 1 }]);
});

test('twenty replicas that start at once on an empty database all serve', async () => {
  const place = await ENGINE.emptyPlace();
  const config = placeOf(place);
  const opened = await Promise.allSettled(
    Array.from({ length: 20 }, () => openDatabase({ ...config, migrate: 'check', readers: 1, writers: 1 })),
  );
  const databases = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  try {
    expect(opened.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(databases.filter(({ migrated }) => migrated.length > 0)).toHaveLength(1);
    await Promise.all(databases.map(({ reads }) => reads.check()));
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
});
