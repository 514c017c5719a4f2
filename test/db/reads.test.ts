import { expect, test } from 'vitest';
import { type Statement, statement, textFor } from '../../src/db/engine.ts';
import { Reads } from '../../src/db/queries/reads.ts';
import { sqliteConnection } from '../../src/db/sqlite.ts';
import { SqliteReader } from '../../src/db/sqlite-reader.ts';
import type { SqlValue } from '../../src/db/transaction.ts';
import { MAX_PAGE_BYTES, Reader } from '../../src/domain/reader.ts';
import type { Write } from '../../src/domain/writes.ts';
import {
  batchGenerate,
  batchOf,
  createVersion,
  generate,
  move,
  openTestDatabase,
  remove,
  reorder,
  SCRIPTS,
} from '../domain/harness.ts';
import { capabilities, ENGINE } from '../engines/index.ts';

const ALL = { rows: 1_000, bytes: 1e9 };

test.each([1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 2, 2 ** 53 - 1])(
  'element id %d makes the whole way there and back',
  async (elementId) => {
    const db = await openTestDatabase();
    const { reads } = db.database;
    const neighbour = elementId === 1 ? 2 : elementId - 1;
    const writes: Write[] = [
      generate(neighbour),
      generate(elementId, { comment: 'first' }),
      generate(9, { target: { at: 'after', elementId } }),
      createVersion(elementId, { comment: 'second' }),
      move(neighbour, { at: 'after', elementId }),
      move(elementId, { at: 'last' }),
      reorder([elementId, neighbour]),
    ];
    const outcomes = await batchOf(db, writes);
    expect(outcomes.map(({ error }) => error)).toEqual(writes.map(() => undefined));
    // elementId, 9, neighbour
    expect(outcomes.at(-1)?.answer).toMatchObject({
      moved: { elementIds: [elementId, neighbour], oldNumbers: [3, 1], newNumbers: [1, 3] },
    });
    expect(await reads.getElement('play', 'script', elementId)).toMatchObject({
      elementId,
      sequenceNumber: 1,
      versionNumber: 2,
    });
    const list = await reads.listElements('play', 'script', 1, ALL, false);
    expect(list?.elements.map((element) => element.elementId)).toEqual([elementId, 9, neighbour]);
    expect(await reads.getVersion('play', 'script', elementId, 1)).toMatchObject({ comment: 'first' });
    const versions = await reads.listVersions('play', 'script', elementId, 2, ALL, false);
    expect(versions?.versions.map(({ comment }) => comment)).toEqual(['second', 'first']);
    const types = capabilities.dynamicTypes
      ? await db.query(
          `SELECT DISTINCT typeof(element_id) AS t FROM element UNION SELECT typeof(element_id) FROM version
        UNION SELECT typeof(element_id) FROM dirty_document`,
        )
      : [{ t: 'integer' }];
    expect(types).toEqual([{ t: 'integer' }]);
    const [removed] = await batchOf(db, [remove(elementId)]);
    expect(removed?.answer).toMatchObject({ oldSequenceNumber: 1, shifted: { first: 2, last: 3, by: -1 } });
    expect(await reads.getElement('play', 'script', elementId)).toBeUndefined();
    expect(await db.verify()).toEqual([]);
  },
);

test.skipIf(!capabilities.dynamicTypes)(
  'every number is stored as an integer, times and revisions too',
  async () => {
    const db = await openTestDatabase();
    await batchOf(db, [generate(1), createVersion(1), move(1, { at: 'first' }, { requestId: 'x' })], {
      now: () => 1_795_478_400_000_123,
    });
    for (const table of ['sequence', 'element', 'version', 'change', 'dirty_document']) {
      const columns = await db.query<{ name: string; type: string }>(
        `SELECT name, type FROM pragma_table_info('${table}')`,
      );
      for (const { name, type } of columns) {
        const rows = await db.query<{ t: string }>(`SELECT DISTINCT typeof("${name}") AS t FROM "${table}"`);
        const fits = type.toLowerCase() === 'text' ? ['text', 'null'] : ['integer', 'null'];
        for (const { t } of rows) expect(fits, `${table}.${name}`).toContain(t);
      }
    }
  },
);

test('text comes back as it was given', async () => {
  const db = await openTestDatabase();
  const comment = `'"\\ \n\t\u2028 é \u{1F3AD} ${'長'.repeat(500)}`;
  const content = JSON.stringify({ '"key"': comment, n: 1.5e300, deep: [[[null]]] });
  await batchOf(db, [generate(1, { comment, content }), createVersion(1, { comment, content })]);
  const { reads } = db.database;
  expect(await reads.getElement('play', 'script', 1)).toMatchObject({ comment, content });
  expect(await reads.getVersion('play', 'script', 1, 1)).toMatchObject({ comment, content });
});

test('a page of elements ends early at its bytes, with at least one row', async () => {
  const db = await openTestDatabase();
  const content = 'c'.repeat(1_000);
  await batchOf(
    db,
    [1, 2, 3, 4, 5].map((id) =>
      generate(id, { content: id === 3 ? content.repeat(9) : content, comment: 'éé' }),
    ),
  );
  const page = async (from: number, bytes: number, includeContent = true) => {
    const read = await db.database.reads.listElements(
      'play',
      'script',
      from,
      { rows: 9, bytes },
      includeContent,
    );
    return read?.elements.map(({ elementId }) => elementId);
  };
  // A row counts its comment and content in bytes, and 100 for the rest: 1,104 here.
  expect(await page(1, 2 * 1_104)).toEqual([1, 2]);
  expect(await page(1, 2 * 1_104 - 1)).toEqual([1]);
  expect(await page(1, 1)).toEqual([1]);
  expect(await page(3, 5_000)).toEqual([3]);
  expect(await page(4, 5_000)).toEqual([4, 5]);
  // Without content only what is returned counts.
  expect(await page(1, 5_000, false)).toEqual([1, 2, 3, 4, 5]);
});

test('a page of versions ends early at its bytes, with at least one row', async () => {
  const db = await openTestDatabase();
  const content = 'c'.repeat(1_000);
  await batchOf(db, [
    generate(1, { content }),
    createVersion(1, { content }),
    createVersion(1, { content: content.repeat(9) }),
    createVersion(1, { content }),
  ]);
  const page = async (from: number, bytes: number, rows = 9) => {
    const read = await db.database.reads.listVersions('play', 'script', 1, from, { rows, bytes }, true);
    return read?.versions.map(({ versionNumber }) => versionNumber);
  };
  expect(await page(99, 1e6)).toEqual([4, 3, 2, 1]);
  expect(await page(99, 5_000)).toEqual([4]);
  expect(await page(3, 5_000)).toEqual([3]);
  expect(await page(2, 2 * 1_100)).toEqual([2, 1]);
  expect(await page(2, 2 * 1_100 - 1)).toEqual([2]);
  expect(await page(99, 1e6, 2)).toEqual([4, 3]);
  expect(await page(2, 1e6, 1)).toEqual([2]);
});

test('following the tokens, nothing is missed where pages end early', async () => {
  const db = await openTestDatabase();
  const content = JSON.stringify('x'.repeat(MAX_PAGE_BYTES / 10));
  const ids = Array.from({ length: 25 }, (_, index) => index + 1);
  await batchOf(
    db,
    ids.map((id) => generate(id, { content })),
  );
  const reader = new Reader(db.database.reads);
  const found: number[] = [];
  let pages = 0;
  let pageToken = '';
  do {
    const page = await reader.listElements(SCRIPTS, 0, { pageSize: 1_000, pageToken, includeContent: true });
    expect(Buffer.byteLength(page.elements.map((element) => element.content).join(''))).toBeLessThanOrEqual(
      MAX_PAGE_BYTES,
    );
    found.push(...page.elements.map(({ elementId }) => elementId));
    pageToken = page.nextPageToken;
    pages += 1;
  } while (pageToken !== '');
  expect(found).toEqual(ids);
  expect(pages).toBe(3);
});

test('a page size is 50 by default and 1,000 at most', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate(Array.from({ length: 1_200 }, (_, index) => index + 1))]);
  const reader = new Reader(db.database.reads);
  const page = async (pageSize: number, start = 0) => {
    const { elements, nextPageToken } = await reader.listElements(SCRIPTS, start, {
      pageSize,
      pageToken: '',
      includeContent: false,
    });
    return [elements.length, elements[0]?.sequenceNumber, nextPageToken !== ''];
  };
  expect(await page(0)).toEqual([50, 1, true]);
  expect(await page(2 ** 31 - 1)).toEqual([1_000, 1, true]);
  expect(await page(1_000, 201)).toEqual([1_000, 201, false]);
  expect(await page(10, 1_200)).toEqual([1, 1_200, false]);
  expect(await page(10, 2 ** 31 - 1)).toEqual([0, undefined, false]);
});

test('a page is as cheap at the end as at the beginning', async () => {
  const db = await openTestDatabase();
  const count = 50_000;
  for (let first = 1; first <= count; first += 10_000)
    await batchOf(db, [batchGenerate(Array.from({ length: 10_000 }, (_, index) => first + index))]);
  await db.database.writer.transaction(async (tx) => {
    tx.execute(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
      INSERT INTO version SELECT 1, 1, i, 1, i, '', NULL FROM n`);
    tx.execute('UPDATE element SET version_number = 50001 WHERE element_id = 1');
  }, 10_000);

  const source = await ENGINE.openSource(db.place);
  try {
    const statements: [sql: string, parameters: unknown[]][] = [];
    const query = async <Row>(sql: Statement, parameters: readonly SqlValue[]) => {
      const text = textFor(ENGINE.engine, sql);
      statements.push([text, [...parameters]]);
      return await source.query<Row[]>(text, [...parameters]);
    };
    const reads = new Reads({ query, check: async () => {} });
    const limits = { rows: 50, bytes: 1e6 };
    const list = await reads.listElements('play', 'script', count - 49, limits, true);
    expect(list?.elements).toHaveLength(50);
    const versions = await reads.listVersions('play', 'script', 1, 60, limits, true);
    expect(versions?.versions).toHaveLength(50);
    expect(statements).toHaveLength(2);
    for (const [sql, parameters] of statements) {
      expect(await ENGINE.fullScans(source, sql, parameters)).toEqual([]);
    }

    // And by the clock, with room: reading the rows before as well would take far longer.
    const timeOf = async (read: () => Promise<unknown>) => {
      const times: number[] = [];
      for (let run = 0; run < 15; run++) {
        const started = performance.now();
        await read();
        times.push(performance.now() - started);
      }
      return Math.min(...times);
    };
    const at = (from: number) => () => reads.listElements('play', 'script', from, limits, true);
    expect(await timeOf(at(count - 49))).toBeLessThan(5 * (await timeOf(at(1))) + 1);
    const versionsAt = (from: number) => () => reads.listVersions('play', 'script', 1, from, limits, true);
    const oldest = await timeOf(versionsAt(50));
    expect(await timeOf(versionsAt(25_000))).toBeLessThan(5 * oldest + 1);
    expect(await timeOf(versionsAt(count))).toBeLessThan(5 * oldest + 1);
  } finally {
    await source.destroy();
  }
});

test('a reading connection cannot write', async () => {
  const db = await openTestDatabase();
  const reader = await ENGINE.openReader(db.place);
  try {
    await expect(reader.query('DELETE FROM sequence')).rejects.toThrow(/read-?only/i);
  } finally {
    await reader.destroy();
  }
  await db.database.reads.check();
});

test.skipIf(capabilities.dynamicTypes)(
  'a read goes on where a migration has changed what it returns',
  async () => {
    const db = await openTestDatabase();
    await batchOf(db, [generate(1, { comment: 'before' })]);
    const { reads } = db.database;
    const readOften = async () => {
      for (let i = 0; i < 10; i++)
        expect(await reads.getElement('play', 'script', 1)).toMatchObject({ comment: 'before' });
    };
    await readOften();
    await db.query('ALTER TABLE element ALTER COLUMN comment TYPE varchar');
    await readOften();
  },
);

test.skipIf(!capabilities.isFile)(
  'a long read keeps one connection busy, and no other read waiting',
  async () => {
    const db = await openTestDatabase();
    const sources = [await ENGINE.openReader(db.place), await ENGINE.openReader(db.place)];
    const reader = new SqliteReader(sources.map(sqliteConnection));
    const long = statement(
      () =>
        'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) AS m FROM n',
    );
    const short = statement(() => 'SELECT 1 AS one');
    try {
      let ended = false;
      const running = reader.query<{ m: number }>(long, []).finally(() => {
        ended = true;
      });
      for (let i = 0; i < 20; i++) expect(await reader.query(short, [])).toEqual([{ one: 1 }]);
      expect(ended).toBe(false);
      expect(await running).toEqual([{ m: 3_000_000 }]);
    } finally {
      await reader.close();
      for (const source of sources) await source.destroy();
    }
  },
);

test('closed while it reads, a database answers first', async () => {
  const db = await openTestDatabase();
  await batchOf(db, [generate(1)]);
  const reading = Array.from({ length: 20 }, () => db.database.reads.getElement('play', 'script', 1));
  await db.database.close();
  for (const element of await Promise.all(reading)) expect(element).toMatchObject({ elementId: 1 });
});
