import { expect, test } from 'vitest';
import type { Outcome } from '../../src/domain/batch.ts';
import type { Write } from '../../src/domain/writes.ts';
import {
  batchGenerate,
  batchOf,
  createVersion,
  dirtyOf,
  generate,
  move,
  openTestDatabase,
  orderOf,
  remove,
  reorder,
  resultOf,
  SCENES,
  type TestDatabase,
} from './harness.ts';

const UUID = '00000000-0000-4000-8000-000000000001';
const OTHER_UUID = '00000000-0000-4000-8000-000000000002';

/** The reason of each member's error, or 'ok'. */
function reasons(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => outcome.error?.reason ?? 'ok');
}

/** Every row of every table that writes touch. */
async function rowsOf(db: TestDatabase): Promise<unknown[]> {
  const tables = ['sequence', 'element', 'version', 'change', 'dirty_document'];
  return await Promise.all(tables.map((table) => db.query(`SELECT * FROM "${table}" ORDER BY 1, 2, 3`)));
}

async function countersOf(db: TestDatabase): Promise<unknown> {
  const [row] = await db.query(
    `SELECT size, revision, order_revision AS "orderRevision" FROM sequence WHERE element_type = 'script'`,
  );
  return row;
}

async function changesOf(db: TestDatabase): Promise<Record<string, unknown>[]> {
  return await db.query('SELECT * FROM change ORDER BY sequence_id, change_time');
}

/** The index has acknowledged everything. */
async function clearMarks({ database }: TestDatabase): Promise<void> {
  await database.writer.transaction((tx) => tx.query('DELETE FROM dirty_document'), 1_000);
}

test('Generate 7 twice: the second finds the first', async () => {
  const db = await openTestDatabase();
  const outcomes = await batchOf(db, [generate(7), generate(7), generate(8)]);
  expect(reasons(outcomes)).toEqual(['ok', 'ELEMENT_EXISTS', 'ok']);
  expect(outcomes[1]?.error?.metadata).toEqual({ element_ids: '7', sequence_numbers: '1', count: '1' });
  expect(await orderOf(db)).toEqual([7, 8]);
  expect(await countersOf(db)).toEqual({ size: 2, revision: 2, orderRevision: 2 });
});

test('Remove 7, Generate 7, Move 7: a new life, with version 1 and a later create time', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([7, 8, 9]), createVersion(7), createVersion(7)]);
  const [before] = await db.query<{ time: number }>('SELECT create_time AS time FROM element');
  const outcomes = await batchOf(db, [remove(7), generate(7), move(7, { at: 'first' })]);
  expect(outcomes.map(resultOf)).toEqual([
    {
      answer: { revision: 4, orderRevision: 4, oldSequenceNumber: 1, shifted: { first: 2, last: 3, by: -1 } },
    },
    {
      answer: {
        revision: 5,
        orderRevision: 5,
        element: {
          elementId: 7,
          sequenceNumber: 3,
          versionNumber: 1,
          comment: '',
          createTime: expect.any(Number),
          updateTime: expect.any(Number),
        },
      },
    },
    {
      answer: {
        revision: 6,
        orderRevision: 6,
        oldSequenceNumber: 3,
        newSequenceNumber: 1,
        shifted: { first: 1, last: 2, by: 1 },
      },
    },
  ]);
  const [life] = await db.query<{ time: number; version: number }>(
    'SELECT create_time AS time, version_number AS version FROM element WHERE element_id = 7',
  );
  expect(life!.version).toBe(1);
  expect(life!.time).toBeGreaterThan(before!.time);
  expect(await db.query('SELECT * FROM version')).toEqual([]);
  expect(await orderOf(db)).toEqual([7, 8, 9]);
  expect(await db.verify()).toEqual([]);
});

test('of three writers that expect one revision the first wins', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3]), createVersion(2)]);
  // The order revision is 1, the revision 2: both ends of what may be expected.
  const outcomes = await batchOf(db, [
    generate(4, { expectedRevision: 0 }),
    move(3, { at: 'first' }, { expectedRevision: 1 }),
    generate(4, { expectedRevision: 1 }),
    remove(1, { expectedRevision: 2 }),
    generate(5, { expectedRevision: 4 }),
    generate(4, { expectedRevision: 3 }),
  ]);
  expect(reasons(outcomes)).toEqual([
    'REVISION_MISMATCH',
    'ok',
    'REVISION_MISMATCH',
    'REVISION_MISMATCH',
    'REVISION_MISMATCH',
    'ok',
  ]);
  expect(outcomes[3]?.error?.metadata).toEqual({
    expected_revision: '2',
    revision: '3',
    order_revision: '3',
  });
  expect(await orderOf(db)).toEqual([3, 1, 2, 4]);
});

test('0 is expected of a sequence that was never used', async () => {
  const db = await openTestDatabase();
  const outcomes = await batchOf(db, [
    generate(1, { expectedRevision: 1 }),
    generate(1, { expectedRevision: 0 }),
    generate(2, { expectedRevision: 0 }),
  ]);
  expect(reasons(outcomes)).toEqual(['REVISION_MISMATCH', 'ok', 'REVISION_MISMATCH']);
});

test('CreateVersion, then Move: the replaced version keeps its number, the latest has the current one', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3])]);
  const outcomes = await batchOf(db, [
    createVersion(3, { comment: 'second', content: '{"a":2}' }),
    move(3, { at: 'first' }),
    createVersion(3, { expectedVersion: 1 }),
    createVersion(3, { comment: 'third', expectedVersion: 2 }),
    move(3, { at: 'position', position: 2 }),
  ]);
  expect(reasons(outcomes)).toEqual(['ok', 'ok', 'VERSION_MISMATCH', 'ok', 'ok']);
  expect(outcomes[2]?.error?.metadata).toEqual({ expected_version: '1', version_number: '2' });
  const versions = await db.database.reads.listVersions(
    'play',
    'script',
    3,
    9,
    { rows: 9, bytes: 9_999 },
    true,
  );
  expect(versions?.versions).toMatchObject([
    { versionNumber: 3, sequenceNumber: 2, comment: 'third', content: null },
    { versionNumber: 2, sequenceNumber: 1, comment: 'second', content: '{"a":2}' },
    { versionNumber: 1, sequenceNumber: 3, comment: '', content: null },
  ]);
});

test('equal request ids in a batch are one write', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3])]);
  for (const write of [
    generate(4, { requestId: UUID }),
    move(1, { at: 'last' }, { requestId: OTHER_UUID }),
  ]) {
    const outcomes = await batchOf(db, [write, generate(90), write, remove(90), write]);
    expect(reasons(outcomes)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    expect(outcomes[2]).toEqual(outcomes[0]);
    expect(outcomes[4]).toEqual(outcomes[0]);
    const [later] = await batchOf(db, [write]);
    expect(later).toEqual(outcomes[0]);
  }
  expect(await orderOf(db)).toEqual([2, 3, 4, 1]);
  expect((await changesOf(db)).map(({ kind }) => kind)).toEqual([
    'batch_generate',
    ...['generate', 'generate', 'remove'],
    ...['move', 'generate', 'remove'],
  ]);
});

test('a request id with another request is refused, also by another caller only where it is theirs', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [generate(1, { requestId: UUID })]);
  const outcomes = await batchOf(db, [
    generate(2, { requestId: UUID }),
    generate(1, { requestId: UUID, comment: 'another' }),
    generate(2, { requestId: UUID, caller: 'ann' }),
    generate(3, { requestId: UUID, caller: 'ann' }),
    generate(1, { requestId: UUID, sequence: SCENES }),
    generate(1, { requestId: UUID }),
  ]);
  expect(reasons(outcomes)).toEqual([
    'REQUEST_ID_REUSED',
    'REQUEST_ID_REUSED',
    'ok',
    'REQUEST_ID_REUSED',
    'ok',
    'ok',
  ]);
});

test('only successes are remembered', async () => {
  const db = await openTestDatabase();
  const wanted = move(1, { at: 'last' }, { requestId: UUID });
  const outcomes = await batchOf(db, [wanted, generate(1), generate(2), wanted]);
  expect(reasons(outcomes)).toEqual(['ELEMENT_NOT_FOUND', 'ok', 'ok', 'ok']);
  expect(await orderOf(db)).toEqual([2, 1]);
});

test('a remembered request comes before every other rule', async () => {
  const db = await openTestDatabase();
  const write = generate(1, { requestId: UUID, expectedRevision: 0 });
  const [first] = await batchOf(db, [write]);
  await batchOf(db, [generate(2), remove(1)]);
  expect(await batchOf(db, [write])).toEqual([first]);
  expect(await orderOf(db)).toEqual([2]);
});

test('members that fail in the middle leave their neighbours dense', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3])]);
  const outcomes = await batchOf(db, [
    generate(4),
    generate(2),
    generate(5, { target: { at: 'position', position: 9 } }),
    generate(5, { target: { at: 'before', elementId: 99 } }),
    batchGenerate([6, 4, 2, 7]),
    reorder([1, 98, 97]),
    move(99, { at: 'after', elementId: 98 }),
    move(1, { at: 'position', position: 0 }),
    createVersion(99),
    remove(99),
    generate(5),
  ]);
  expect(reasons(outcomes)).toEqual([
    'ok',
    'ELEMENT_EXISTS',
    'POSITION_OUT_OF_RANGE',
    'ELEMENT_NOT_FOUND',
    'ELEMENT_EXISTS',
    'ELEMENT_NOT_FOUND',
    'ELEMENT_NOT_FOUND',
    'POSITION_OUT_OF_RANGE',
    'ELEMENT_NOT_FOUND',
    'ELEMENT_NOT_FOUND',
    'ok',
  ]);
  expect(outcomes[2]?.error?.metadata).toEqual({ position: '9', first: '1', last: '5' });
  expect(outcomes[4]?.error?.metadata).toEqual({ element_ids: '4,2', sequence_numbers: '4,2', count: '2' });
  expect(outcomes[5]?.error?.metadata).toEqual({ element_ids: '98,97', count: '2' });
  expect(outcomes[6]?.error?.metadata).toEqual({ element_ids: '99,98', count: '2' });
  expect(await orderOf(db)).toEqual([1, 2, 3, 4, 5]);
  expect(await countersOf(db)).toEqual({ size: 5, revision: 3, orderRevision: 3 });
  expect(await changesOf(db)).toHaveLength(3);
  expect(await db.verify()).toEqual([]);
});

test('sequences in a batch do not see each other', async () => {
  const db = await openTestDatabase();
  const scenes = { sequence: SCENES };
  const elsewhere = { sequence: { scope: 'novel', elementType: 'script' } as const };
  const outcomes = await batchOf(db, [
    generate(1),
    generate(1, scenes),
    move(1, { at: 'first' }, elsewhere),
    generate(2, { ...scenes, target: { at: 'first' } }),
    generate(2),
    generate(3, scenes),
    generate(1),
    remove(1, scenes),
    generate(3, { target: { at: 'after', elementId: 1 } }),
  ]);
  expect(reasons(outcomes)).toEqual([
    'ok',
    'ok',
    'ELEMENT_NOT_FOUND',
    'ok',
    'ok',
    'ok',
    'ELEMENT_EXISTS',
    'ok',
    'ok',
  ]);
  expect(await orderOf(db)).toEqual([1, 3, 2]);
  expect(await orderOf(db, SCENES)).toEqual([2, 3]);
  // A sequence in which nothing succeeded is not used.
  expect(await db.query('SELECT scope, element_type AS type, revision FROM sequence ORDER BY type')).toEqual([
    { scope: 'play', type: 'script', revision: 3 },
    { scope: 'play', type: 'section', revision: 4 },
  ]);
  expect(await db.verify()).toEqual([]);
});

test('a reorder lets the listed elements exchange the places that they hold', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 4, 3, 2, 5, 6, 9])]);
  const [outcome] = await batchOf(db, [reorder([9, 4], { comment: 'swap' })]);
  expect(resultOf(outcome!)).toEqual({
    answer: {
      revision: 2,
      orderRevision: 2,
      comment: 'swap',
      moved: { elementIds: [9, 4], oldNumbers: [7, 2], newNumbers: [2, 7] },
    },
  });
  expect(await orderOf(db)).toEqual([1, 9, 3, 2, 5, 6, 4]);
  const [partly] = await batchOf(db, [reorder([2, 1, 5, 6])]);
  expect(resultOf(partly!).answer).toMatchObject({
    moved: { elementIds: [2, 1], oldNumbers: [4, 1], newNumbers: [1, 4] },
  });
  await batchOf(db, [reorder([6, 5, 4, 3, 2, 1, 9])]);
  expect(await orderOf(db)).toEqual([6, 5, 4, 3, 2, 1, 9]);
});

test('each move lands where its target says', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3, 4, 5])]);
  const steps: [Write, number[]][] = [
    [move(2, { at: 'before', elementId: 5 }), [1, 3, 4, 2, 5]],
    [move(2, { at: 'after', elementId: 5 }), [1, 3, 4, 5, 2]],
    [move(5, { at: 'before', elementId: 3 }), [1, 5, 3, 4, 2]],
    [move(2, { at: 'after', elementId: 1 }), [1, 2, 5, 3, 4]],
    [move(3, { at: 'first' }), [3, 1, 2, 5, 4]],
    [move(1, { at: 'last' }), [3, 2, 5, 4, 1]],
    [move(3, { at: 'position', position: 4 }), [2, 5, 4, 3, 1]],
    [move(2, { at: 'before', elementId: 5 }), [2, 5, 4, 3, 1]],
    [move(5, { at: 'after', elementId: 2 }), [2, 5, 4, 3, 1]],
  ];
  for (const [write, order] of steps) {
    expect(reasons(await batchOf(db, [write]))).toEqual(['ok']);
    expect(await orderOf(db)).toEqual(order);
  }
  expect(await countersOf(db)).toEqual({ size: 5, revision: 8, orderRevision: 8 });
});

test('each write marks exactly the documents that it changes', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3, 4, 5]), createVersion(4), createVersion(4)]);
  const steps: [Write, string[]][] = [
    [generate(6), ['6/1']],
    [batchGenerate([7, 8]), ['7/1', '8/1']],
    // 1 2 9 3 4 5 6 7 8
    [
      generate(9, { target: { at: 'after', elementId: 2 } }),
      ['3/1', '4/3', '5/1', '6/1', '7/1', '8/1', '9/1'],
    ],
    [createVersion(3), ['3/1', '3/2']],
    // 1 2 3 4 9 5 6 7 8
    [move(9, { at: 'before', elementId: 5 }), ['3/2', '4/3', '9/1']],
    [move(9, { at: 'before', elementId: 5 }), []],
    // 4 2 3 1 9 5 6 7 8
    [reorder([4, 2, 1]), ['1/1', '4/3']],
    [reorder([4, 1]), []],
    [remove(8), ['8/1']],
    // 4 2 1 9 5 6 7
    [remove(3), ['1/1', '3/1', '3/2', '5/1', '6/1', '7/1', '9/1']],
    [generate(3, { target: { at: 'last' } }), ['3/1']],
  ];
  for (const [write, documents] of steps) {
    await clearMarks(db);
    const token = `fresh ${documents.length} ${write.kind}`;
    const [outcome] = await batchOf(db, [write], { token });
    const { revision } = outcome!.answer!;
    const { ranges, marks } = await dirtyOf(db);
    const range = `${revision}..${revision}`;
    expect(ranges, JSON.stringify(write)).toEqual(Object.fromEntries(documents.map((id) => [id, range])));
    expect(marks).toEqual(documents.length > 0 ? [token] : []);
  }
});

test('marked again, a document keeps since_revision; wanted_revision rises and the mark is fresh', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [generate(1), generate(2)], { token: 'first' });
  expect(await dirtyOf(db)).toEqual({ ranges: { '1/1': '1..1', '2/1': '2..2' }, marks: ['first'] });
  await db.database.writer.transaction(
    (tx) =>
      tx.query(`UPDATE dirty_document SET attempts = 3, next_try_time = 5, priority = 1, lease_owner = 'me',
        lease_expire_time = 9 WHERE element_id = 1`),
    1_000,
  );
  await batchOf(db, [move(2, { at: 'first' }), move(2, { at: 'last' }), createVersion(1)], {
    token: 'second',
  });
  expect(await dirtyOf(db)).toEqual({
    ranges: { '1/1': '1..5', '1/2': '5..5', '2/1': '2..4' },
    marks: ['second'],
  });
  // A new state is due at once and with all attempts; who is sending the old one stays known.
  const [row] = await db.query('SELECT * FROM dirty_document WHERE element_id = 1 AND version_number = 1');
  expect(row).toMatchObject({
    attempts: 0,
    next_try_time: 0,
    priority: 0,
    lease_owner: 'me',
    lease_expire_time: 9,
  });
});

test('one change row for each write that changes something', async () => {
  const db = await openTestDatabase();
  const noOp = move(1, { at: 'first' });
  const writes = [
    generate(1, { comment: 'why', caller: 'ann' }),
    generate(2, { target: { at: 'first' } }),
    batchGenerate([3, 4]),
    reorder([4, 3], { comment: 'swap' }),
    move(1, { at: 'first' }),
    noOp,
    { ...noOp, requestId: UUID },
    { ...noOp, requestId: UUID },
    { ...noOp, requestId: OTHER_UUID },
    createVersion(1),
    remove(2),
    reorder([4, 3]),
  ];
  expect(reasons(await batchOf(db, writes, { token: 'the batch' }))).toEqual(writes.map(() => 'ok'));
  const rows = await changesOf(db);
  expect(rows.map((row) => [row['revision'], row['kind'], row['request_id']])).toEqual([
    [1, 'generate', null],
    [2, 'generate', null],
    [3, 'batch_generate', null],
    [4, 'reorder', null],
    [5, 'move', null],
    [5, 'move', UUID],
    [5, 'move', OTHER_UUID],
    [6, 'create_version', null],
    [7, 'remove', null],
  ]);
  expect(rows.every((row) => row['batch_token'] === 'the batch')).toBe(true);
  expect(rows[0]).toMatchObject({ comment: 'why', caller: 'ann', request_hash: null, answer: null });
  expect(rows[5]!['request_hash']).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.parse(String(rows[5]!['answer']))).toEqual({
    revision: 5,
    orderRevision: 5,
    oldSequenceNumber: 1,
    newSequenceNumber: 1,
    shifted: null,
  });
});

test('the answer to a reorder is stored with an array for each element, and told again as it was', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3])]);
  const write = reorder([3, 1], { comment: 'swap', requestId: UUID });
  const [first] = await batchOf(db, [write]);
  const rows = await changesOf(db);
  expect(rows.at(-1)!['answer']).toBe(
    '{"revision":2,"orderRevision":2,"comment":"swap","moved":[[3,3,1],[1,1,3]]}',
  );
  const [again] = await batchOf(db, [write]);
  expect(again).toEqual(first);
  expect(resultOf(again!).answer).toMatchObject({ moved: { elementIds: [3, 1] } });
});

test('a write that changes nothing leaves nothing', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3])]);
  const before = await rowsOf(db);
  const outcomes = await batchOf(db, [
    move(2, { at: 'after', elementId: 1 }),
    reorder([1, 3]),
    reorder([2]),
    generate(1),
    generate(5, { expectedRevision: 0 }),
  ]);
  expect(reasons(outcomes)).toEqual(['ok', 'ok', 'ok', 'ELEMENT_EXISTS', 'REVISION_MISMATCH']);
  expect(outcomes[0]?.answer).toMatchObject({ revision: 1, orderRevision: 1, shifted: null });
  expect(await rowsOf(db)).toEqual(before);
});

test('the revision counts every change, the order revision those of order or membership', async () => {
  const db = await openTestDatabase();
  const steps: [Write, revision: number, orderRevision: number][] = [
    [batchGenerate([1, 2, 3]), 1, 1],
    [createVersion(1), 2, 1],
    [createVersion(1), 3, 1],
    [generate(4), 4, 4],
    [createVersion(2), 5, 4],
    [move(1, { at: 'first' }), 5, 4],
    [move(1, { at: 'last' }), 6, 6],
    [createVersion(2), 7, 6],
    [reorder([1, 2]), 8, 8],
    [remove(1), 9, 9],
  ];
  for (const [write, revision, orderRevision] of steps) {
    const [outcome] = await batchOf(db, [write]);
    expect(outcome?.answer).toMatchObject({ revision, orderRevision });
    expect(await countersOf(db)).toMatchObject({ revision, orderRevision });
  }
});

test('where the clock stands or goes back, times still rise', async () => {
  const db = await openTestDatabase();
  let clock = 5_000;
  const now = () => clock;
  await batchOf(db, [generate(1), generate(2), createVersion(1), generate(3)], { now });
  clock = 10;
  await batchOf(db, [remove(2), generate(2), createVersion(1)], { now });
  clock = 20;
  await batchOf(db, [batchGenerate([5, 6]), move(1, { at: 'first' }, { requestId: UUID }), generate(7)], {
    now,
  });
  clock = 9_000;
  await batchOf(db, [generate(8)], { now });
  const times = (await changesOf(db)).map((row) => row['change_time']);
  expect(times).toEqual([5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 9000]);
  expect(
    await db.query(
      'SELECT element_id AS id, create_time AS born, update_time AS made FROM element ORDER BY born, id',
    ),
  ).toEqual([
    { id: 1, born: 5000, made: 5006 },
    { id: 3, born: 5003, made: 5003 },
    { id: 2, born: 5005, made: 5005 },
    { id: 5, born: 5007, made: 5007 },
    { id: 6, born: 5007, made: 5007 },
    { id: 7, born: 5009, made: 5009 },
    { id: 8, born: 9000, made: 9000 },
  ]);
});

test('what would renumber too much is refused before it starts', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3, 4, 5]), createVersion(5), createVersion(5), createVersion(5)]);
  const before = await rowsOf(db);
  const refused: Write[] = [
    generate(6, { target: { at: 'first' } }),
    generate(6, { target: { at: 'before', elementId: 2 } }),
    move(1, { at: 'last' }),
    move(4, { at: 'first' }),
    reorder([4, 3, 2, 1]),
    remove(1),
    // Four versions.
    remove(5),
  ];
  const outcomes = await batchOf(db, refused, { maxRenumber: 3 });
  expect(reasons(outcomes)).toEqual(refused.map(() => 'TOO_MANY_RENUMBERED'));
  expect(outcomes.map((outcome) => outcome.error?.metadata)).toEqual([
    { elements: '5', limit: '3' },
    { elements: '4', limit: '3' },
    { elements: '5', limit: '3' },
    { elements: '4', limit: '3' },
    { elements: '4', limit: '3' },
    { elements: '4', limit: '3' },
    { versions: '4', limit: '3' },
  ]);
  expect(await rowsOf(db)).toEqual(before);

  const allowed: Write[] = [
    generate(6, { target: { at: 'position', position: 3 } }),
    move(1, { at: 'position', position: 3 }),
    reorder([4, 3, 2]),
    batchGenerate([10, 11, 12, 13, 14]),
    remove(11),
  ];
  expect(reasons(await batchOf(db, allowed, { maxRenumber: 3 }))).toEqual(allowed.map(() => 'ok'));
  expect(await db.verify()).toEqual([]);
});
