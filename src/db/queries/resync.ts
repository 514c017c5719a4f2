import { type Statement, statement } from '../engine.ts';
import type { ResyncRow } from '../entities/sync.ts';
import type { WriteTransaction } from '../transaction.ts';
import type { DocumentKey } from './sync.ts';

/** What a resync is to send anew; null means all. */
export interface ResyncScope {
  readonly scope: string | null;
  readonly elementType: string | null;
}

const IN_SCOPE = `sequence_id IN (SELECT id FROM sequence
  WHERE (CAST(?1 AS text) IS NULL OR scope = ?1) AND (CAST(?2 AS text) IS NULL OR element_type = ?2))`;
const COUNT = `SELECT (SELECT count(*) FROM element WHERE ${IN_SCOPE}) + (SELECT count(*) FROM version WHERE ${IN_SCOPE})
  AS total`;
const CREATE = statement(
  ({ json }) => `INSERT INTO resync (generation, scope, element_type, marked, total, create_time)
  VALUES (${json('?3', 0, 'integer')}, ?1, ?2, 0, ${json('?3', 1, 'bigint')}, ${json('?3', 2, 'bigint')})`,
);

/** Two that begin at once would both be the next: the second waits for the end of the first. */
const ONE_AT_A_TIME: Statement = {
  sqlite: 'SELECT 1',
  postgres: `SELECT pg_advisory_xact_lock(hashtext('sequence-service resync'))`,
};

/** The generation of the next resync, which no other transaction begins until this one's end. */
export async function nextGeneration(tx: WriteTransaction): Promise<number> {
  tx.execute(ONE_AT_A_TIME);
  const [row] = await tx.query<{ generation: number }>(
    'SELECT coalesce((SELECT generation FROM sync_target), 1) + 1 AS generation',
    [],
  );
  return row!.generation;
}

/** Begins a resync; returns how many documents there are to send. */
export async function createResync(
  tx: WriteTransaction,
  { scope, elementType }: ResyncScope,
  generation: number,
  now: number,
): Promise<number> {
  const [row] = await tx.query<{ total: number }>(COUNT, [scope, elementType]);
  tx.execute(CREATE, [scope, elementType, JSON.stringify([generation, row!.total, now])]);
  return row!.total;
}

const AFTER = (json: (parameter: string, n: number, type: 'integer' | 'bigint') => string) =>
  `(sequence_id, element_id, version_number) >
        (${json('?3', 0, 'integer')}, ${json('?3', 1, 'bigint')}, ${json('?3', 2, 'integer')})`;
const PAGE = statement(
  ({
    json,
  }) => `SELECT sequence_id AS "sequenceId", element_id AS "elementId", version_number AS "versionNumber" FROM (
    SELECT * FROM (
      SELECT sequence_id, element_id, version_number FROM element
      WHERE ${IN_SCOPE} AND ${AFTER(json)}
      ORDER BY 1, 2, 3 LIMIT ?4) AS elements
    UNION ALL
    SELECT * FROM (
      SELECT sequence_id, element_id, version_number FROM version
      WHERE ${IN_SCOPE} AND ${AFTER(json)}
      ORDER BY 1, 2, 3 LIMIT ?4) AS versions) AS documents
  ORDER BY 1, 2, 3 LIMIT ?4`,
);

const MARK = statement(
  ({ each, item, json, probe }) => `INSERT INTO dirty_document (sequence_id, element_id, version_number, mark,
    since_revision, wanted_revision, since_time, priority, attempts, next_try_time)
  SELECT ${item(0, 'integer')}, ${item(1, 'bigint')}, ${item(2, 'integer')}, ?2, s.revision, s.revision,
    ${json('?3', 0, 'bigint')}, 1, 0, 0
  FROM ${each('?1')} ${probe('sequence', 's', `s.id = ${item(0, 'integer')}`)} WHERE true
  ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark, attempts = 0,
    next_try_time = 0, error = NULL`,
);
const ADVANCE = statement(
  ({ json }) => `UPDATE resync SET marked = marked + ${json('?1', 1, 'bigint')},
    cursor_sequence_id = coalesce(${json('?1', 2, 'integer')}, cursor_sequence_id),
    cursor_element_id = coalesce(${json('?1', 3, 'bigint')}, cursor_element_id),
    cursor_version_number = coalesce(${json('?1', 4, 'integer')}, cursor_version_number),
    mark_finish_time = ${json('?1', 5, 'bigint')}
  WHERE generation = ${json('?1', 0, 'integer')}`,
);
const FINISH = statement(
  ({ json }) => `UPDATE resync SET finish_time = ${json('?1', 1, 'bigint')}
  WHERE generation = ${json('?1', 0, 'integer')} AND finish_time IS NULL`,
);
const CURSOR = `SELECT cursor_sequence_id AS "cursorSequenceId", cursor_element_id AS "cursorElementId",
    cursor_version_number AS "cursorVersionNumber" FROM resync
  WHERE generation = ?1 AND mark_finish_time IS NULL`;
/** Where another process is marking, it is left to that. */
const CURSOR_IF_FREE: Statement = {
  sqlite: CURSOR,
  postgres: `${CURSOR.replace('?1', '$1')} FOR UPDATE SKIP LOCKED`,
};
// As writers do: marks of one sequence are made by one at a time, so that none waits for a mark that another is making.
const LOCK = statement(
  ({
    each,
    value,
    lock,
  }) => `SELECT s.id FROM ${each('?1')} CROSS JOIN sequence s WHERE s.id = ${value('integer')}
  ORDER BY s.id ${lock('s')}`,
);

const cleanBehind = (
  table: string,
  json: (parameter: string, n: number, type: 'integer' | 'bigint') => string,
) =>
  `EXISTS (SELECT 1 FROM ${table} t LEFT JOIN dirty_document d USING (sequence_id, element_id, version_number)
    WHERE (d.mark IS NULL OR d.lease_expire_time IS NOT NULL) AND (t.sequence_id, t.element_id, t.version_number) <=
      (${json('?1', 0, 'integer')}, ${json('?1', 1, 'bigint')}, ${json('?1', 2, 'integer')}))`;
const CLEAN_BEHIND = statement(
  ({ json }) => `SELECT 1 AS clean WHERE ${cleanBehind('element', json)} OR ${cleanBehind('version', json)}`,
);

/**
 * Whether a resync of everything runs that covers what a new one would: it was begun after generation `since`, or the
 * index has acknowledged nothing yet of what it has marked, and is not being sent any of it.
 */
export async function isCovered(tx: WriteTransaction, since: number): Promise<boolean> {
  tx.execute(ONE_AT_A_TIME);
  const [running] = await tx.query<ResyncRow>(
    `SELECT generation, cursor_sequence_id AS "cursorSequenceId", cursor_element_id AS "cursorElementId",
       cursor_version_number AS "cursorVersionNumber" FROM resync
     WHERE finish_time IS NULL AND scope IS NULL AND element_type IS NULL ORDER BY generation DESC LIMIT 1`,
  );
  if (running === undefined) return false;
  if (running.generation > since || running.cursorSequenceId === null) return true;
  const cursor = [running.cursorSequenceId, running.cursorElementId, running.cursorVersionNumber];
  return (await tx.query(CLEAN_BEHIND, [JSON.stringify(cursor)])).length === 0;
}

/**
 * Marks the next documents of a resync dirty, at low priority; returns how many, fewer than `limit` at its end, and
 * undefined where another process is at it.
 */
export async function markNext(
  tx: WriteTransaction,
  resync: ResyncRow,
  limit: number,
  mark: string,
  now: number,
): Promise<number | undefined> {
  const [at] = await tx.query<
    Pick<ResyncRow, 'cursorSequenceId' | 'cursorElementId' | 'cursorVersionNumber'>
  >(CURSOR_IF_FREE, [resync.generation]);
  if (at === undefined) return undefined;
  const cursor = [at.cursorSequenceId ?? 0, at.cursorElementId ?? 0, at.cursorVersionNumber ?? 0];
  const page = await tx.query<DocumentKey>(PAGE, [
    resync.scope,
    resync.elementType,
    JSON.stringify(cursor),
    limit,
  ]);
  const last = page.at(-1);
  if (last !== undefined) {
    tx.execute(LOCK, [JSON.stringify([...new Set(page.map(({ sequenceId }) => sequenceId))])]);
    tx.execute(MARK, [
      JSON.stringify(page.map((key) => [key.sequenceId, key.elementId, key.versionNumber])),
      mark,
      JSON.stringify([now]),
    ]);
  }
  tx.execute(ADVANCE, [
    JSON.stringify([
      resync.generation,
      page.length,
      last?.sequenceId ?? null,
      last?.elementId ?? null,
      last?.versionNumber ?? null,
      page.length < limit ? now : null,
    ]),
  ]);
  return page.length;
}

/** Notes that the index has acknowledged all of a resync. */
export function finishResync(tx: WriteTransaction, generation: number, now: number): void {
  tx.execute(FINISH, [JSON.stringify([generation, now])]);
}
