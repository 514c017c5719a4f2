import type { DataSource, EntityManager } from 'typeorm';
import { describeDatabase } from '../config.ts';
import { type DatabasePlace, openDatabase, verifyDatabase } from './database.ts';
import { SQLITE, type SqlType, type Statement, statement } from './engine.ts';
import { entitiesOf } from './entities/index.ts';
import { MigrationReleaseEntity } from './entities/migration-release.ts';
import { DatabaseError, DatabaseStartError } from './errors.ts';
import { pendingMigrations } from './migrate.ts';
import { withSource } from './postgres-database.ts';
import { readSqlite } from './sqlite-database.ts';
import { realFile } from './sqlite-file.ts';
import type { WriteTransaction } from './transaction.ts';
import { type Verification, verify } from './verify.ts';
import { takeWriteLock } from './write-lock.ts';

/** What is copied at a time, at most; of text in bytes, beyond the first row. */
const PAGE_ROWS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;
/** One transaction for all: as long as it takes. */
const TIMEOUT_MS = 2 ** 31 - 1;
/** Of a large table, counting takes its time. */
const STATEMENT_TIMEOUT_MS = 3_600_000;

/** How far a copy has come. */
export interface CopyProgress {
  begin(rows: number): void;
  add(rows: number): void;
}

/**
 * Copies a database that nobody writes into an empty one, of any engine: all that the service keeps, what is yet to be
 * sent to the search index included. One transaction at the target, so an aborted copy leaves it empty. The promises
 * are checked on the source before, on the target afterwards; in between the rows are counted on both.
 *
 * @throws DatabaseStartError where it cannot be made
 */
export async function copyDatabase(
  from: DatabasePlace,
  to: DatabasePlace,
  progress: CopyProgress,
): Promise<Verification> {
  await withStopped(from, async (source) => {
    const name = describeDatabase(from.url);
    const pending = await pendingMigrations(source);
    if (pending.length > 0)
      throw new DatabaseStartError(`${name} lacks the migration(s) ${pending.join(', ')}`);
    refuseViolations(name, await verify(source));
    const target = await openDatabase({
      ...to,
      readers: 1,
      writers: 1,
      migrate: 'check',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    try {
      await source.transaction('SERIALIZABLE', async (manager) => {
        if (from.url.engine === 'postgres') await manager.query(LOCK_SOURCE);
        const counts = new Map<Table, number>();
        for (const table of TABLES) counts.set(table, await countOf(manager, table));
        await target.writer.transaction(
          (tx) => copyTables(manager, tx, { counts, target: describeDatabase(to.url), progress }),
          TIMEOUT_MS,
        );
      });
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      const filled =
        error.kind === 'outcome_unknown'
          ? 'may be filled or empty (another copy is refused where it is filled)'
          : 'was not filled';
      throw new DatabaseStartError(`${describeDatabase(to.url)} ${filled}: ${error.message}`, {
        cause: error,
      });
    } finally {
      await target.close();
    }
  });
  const verification = await verifyDatabase(to);
  refuseViolations(describeDatabase(to.url), verification);
  return verification;
}

interface Column {
  readonly name: string;
  readonly type: SqlType;
  readonly key: boolean;
}

interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** Those with what callers wrote and what the index is owed; the others say which release made them. */
const TABLES: readonly Table[] = entitiesOf(SQLITE)
  .map(({ options }) => options)
  .filter(({ name }) => name !== MigrationReleaseEntity.options.name)
  .map(({ name, columns }) => ({
    name,
    columns: Object.entries(columns).map(([property, column]) => ({
      name: column?.name ?? property,
      type: column?.type as SqlType,
      key: column?.primary === true,
    })),
  }));

const NAMES = TABLES.map(({ name }) => name).join(', ');
const LOCK_SOURCE = `LOCK TABLE ${NAMES} IN SHARE MODE`;
const LOCK_TARGET: Statement = { sqlite: 'SELECT 1', postgres: `LOCK TABLE ${NAMES} IN EXCLUSIVE MODE` };
// SQLite's own follows the highest id that was ever written.
const NEXT_ID: Statement = {
  sqlite: 'SELECT 1',
  postgres: `SELECT setval(pg_get_serial_sequence('sequence', 'id'), max(id)) FROM sequence HAVING max(id) > 0`,
};

// A service that starts right now would plan by those of empty tables.
const STATISTICS: Statement = { sqlite: 'SELECT 1', postgres: `ANALYZE ${NAMES}` };

async function copyTables(
  source: EntityManager,
  tx: WriteTransaction,
  {
    counts,
    target,
    progress,
  }: { counts: ReadonlyMap<Table, number>; target: string; progress: CopyProgress },
): Promise<void> {
  tx.execute(LOCK_TARGET);
  for (const table of TABLES)
    if ((await countOf(tx, table)) > 0)
      throw new DatabaseStartError(`${target} is not empty: there are rows in ${table.name}`);
  progress.begin([...counts.values()].reduce((sum, count) => sum + count, 0));
  for (const table of TABLES) {
    const insert = insertInto(table);
    for await (const rows of pagesOf(source, table)) {
      await tx.query(insert, [JSON.stringify(rows)]);
      progress.add(rows.length);
    }
  }
  tx.execute(NEXT_ID);
  tx.execute(STATISTICS);
  for (const [table, count] of counts) {
    const copied = await countOf(tx, table);
    if (copied !== count)
      throw new DatabaseStartError(`of ${count} rows of ${table.name}, ${target} got ${copied}`);
  }
}

/** The rows of a table in the order of its key, each as its values in the order of the columns. */
async function* pagesOf(source: EntityManager, { name, columns }: Table): AsyncGenerator<unknown[][]> {
  const names = columns.map((column) => column.name);
  const keys = columns.filter(({ key }) => key).map((column) => column.name);
  const texts = columns.filter(({ type }) => type === 'text').map((column) => column.name);
  const mark = source.connection.options.type === 'postgres' ? '$' : '?';
  const place = (first: number) => `(${keys.map((_, index) => `${mark}${first + index}`).join(', ')})`;
  const key = `(${keys.join(', ')})`;
  const order = keys.join(', ');
  const bytes = ['0', ...texts.map((text) => `coalesce(octet_length(${text}), 0)`)].join(' + ');
  const measure = `SELECT ${order}, ${bytes} AS bytes FROM ${name} WHERE ${key} > ${place(1)}
    ORDER BY ${order} LIMIT ${PAGE_ROWS}`;
  const read = `SELECT ${names.join(', ')} FROM ${name}
    WHERE ${key} > ${place(1)} AND ${key} <= ${place(1 + keys.length)} ORDER BY ${order}`;
  // Before all: keys are not negative.
  let last: unknown[] = keys.map(() => -1);
  for (;;) {
    const measured = await source.query<(Record<string, unknown> & { bytes: number })[]>(measure, last);
    let total = 0;
    const over = measured.findIndex((row, index) => {
      total += row.bytes;
      return index > 0 && total > PAGE_BYTES;
    });
    const end = measured.at(over === -1 ? -1 : over - 1);
    if (end === undefined) return;
    const upTo = keys.map((column) => end[column]);
    const rows = await source.query<Record<string, unknown>[]>(read, [...last, ...upTo]);
    yield rows.map((row) => names.map((column) => row[column]));
    last = upTo;
  }
}

function insertInto({ name, columns }: Table): Statement {
  return statement(
    ({ each, item }) => `INSERT INTO ${name} (${columns.map((column) => column.name).join(', ')})
      SELECT ${columns.map(({ type }, index) => item(index, type)).join(', ')} FROM ${each('?1')}`,
  );
}

async function countOf(
  where: { query<T>(sql: string): Promise<T> } | WriteTransaction,
  { name }: Table,
): Promise<number> {
  const sql = `SELECT count(*) AS n FROM ${name}`;
  const rows = (await where.query(sql)) as { n: number }[];
  return rows[0]!.n;
}

function refuseViolations(name: string, { violations }: Verification): void {
  const [violation] = violations;
  if (violation !== undefined)
    throw new DatabaseStartError(
      `${name} breaks its promises: ${violation.message}; "cli verify" names all, nothing should run on it`,
    );
}

/** Reads a database and makes sure that nobody writes it meanwhile. */
async function withStopped(
  { url, sslCa = '' }: DatabasePlace,
  use: (source: DataSource) => Promise<void>,
): Promise<void> {
  if (url.engine === 'sqlite')
    return await readSqlite(url.file, async (source) => {
      const lock = await takeWriteLock(await realFile(url.file));
      try {
        await use(source);
      } finally {
        await lock.release();
      }
    });
  await withSource({ url, sslCa }, 'sequence-service copy', async (source) => {
    const [writers] = await source.query<{ n: number }[]>(
      `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% write'`,
    );
    if (writers!.n > 0)
      throw new DatabaseStartError(`services are connected to ${describeDatabase(url)}; stop them first`);
    await use(source);
  });
}
