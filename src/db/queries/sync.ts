import type { DataSource } from 'typeorm';
import { type Engine, type Statement, statement, textFor, type Words } from '../engine.ts';
import { PARKED } from '../entities/dirty-document.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { ResyncRow, SyncTargetRow } from '../entities/sync.ts';
import { databaseError } from '../errors.ts';
import type { WriteTransaction } from '../transaction.ts';

/** The key of a document. */
export interface DocumentKey {
  readonly sequenceId: number;
  readonly elementId: number;
  readonly versionNumber: number;
}

/** A dirty document that is due. */
export interface DueDocument extends DocumentKey {
  readonly scope: string;
  readonly elementType: ElementType;
  /** The mark that it has now: acknowledged by this, or not at all. */
  readonly mark: string;
  readonly wantedRevision: number;
  /** When the oldest change that is not acknowledged was made, microseconds since the epoch. */
  readonly sinceTime: number;
  readonly attempts: number;
}

/** What the database implies for a document. */
export interface DocumentState {
  /** Whether it is the latest version's; that of a replaced one is frozen. */
  readonly isLatest: boolean;
  readonly sequenceNumber: number;
  readonly comment: string;
  readonly content: string | null;
  /** When the version was made, microseconds since the epoch. */
  readonly createTime: number;
}

/** How far the index has followed. */
export interface DirtyCounts {
  readonly dirty: number;
  readonly parked: number;
  /** When the oldest change that is not acknowledged was made, parked documents apart; null where there is none. */
  readonly oldestTime: number | null;
}

/** A parked document. */
export interface ParkedDocument extends DocumentKey {
  readonly scope: string;
  readonly elementType: ElementType;
  readonly attempts: number;
  readonly error: string | null;
}

/** A place in the order in which documents are due: behind this one. */
export interface DueCursor extends DocumentKey {
  readonly nextTryTime: number;
}

/** Documents that are due, each with what the database implies for it in the same snapshot. */
export interface DuePage {
  readonly documents: { readonly due: DueDocument; readonly state: DocumentState | null }[];
  /** Where the next page begins; undefined where nothing more is due. */
  readonly next: DueCursor | undefined;
}

/** What a page of due documents may hold. */
export interface DueLimits {
  readonly documents: number;
  /** Of content; one document is always taken. */
  readonly bytes: number;
}

// A replaced version's document waits while the latest one's is dirty: the new one goes first, so that the index
// may show two latest versions for a moment, but never none.
//
// One row for the page, as JSON: the driver makes an object of each row on the main thread, which costs three times
// what SQLite needs to find it.
const DUE = statement(
  ({ probe, leftProbe, jsonArray, joined }) => `WITH due AS (
    SELECT d.sequence_id, d.element_id, d.version_number, d.next_try_time, d.mark, d.wanted_revision, d.since_time,
      d.attempts, s.scope, s.element_type, e.version_number AS latest, v.version_number AS replaced,
      coalesce(v.sequence_number, e.sequence_number) AS sequence_number, coalesce(v.comment, e.comment) AS comment,
      coalesce(v.create_time, e.update_time) AS create_time,
      octet_length(CASE WHEN v.version_number IS NULL THEN e.content ELSE v.content END) AS length
    FROM dirty_document d ${probe('sequence', 's', 's.id = d.sequence_id')}
      ${leftProbe('element', 'e', 'e.sequence_id = d.sequence_id AND e.element_id = d.element_id')}
      ${leftProbe(
        'version',
        'v',
        `v.sequence_id = d.sequence_id AND v.element_id = d.element_id
        AND v.version_number = d.version_number AND d.version_number < e.version_number`,
      )}
    WHERE d.priority = ?1 AND d.next_try_time <= ?2
      AND (d.next_try_time, d.sequence_id, d.element_id, d.version_number) > (?3, ?4, ?5, ?6)
      AND NOT EXISTS (SELECT 1 FROM dirty_document n WHERE d.version_number < e.version_number
        AND n.sequence_id = d.sequence_id AND n.element_id = d.element_id AND n.version_number = e.version_number)
    ORDER BY d.next_try_time, d.sequence_id, d.element_id, d.version_number LIMIT ?7),
  page AS (SELECT *, sum(coalesce(length, 0)) OVER (ROWS UNBOUNDED PRECEDING) AS total,
    row_number() OVER () AS place FROM due)
  SELECT count(*) AS found, ${joined(
    `CASE WHEN total <= ?8 OR place = 1 THEN ${jsonArray(`sequence_id, element_id, version_number, next_try_time, mark,
        wanted_revision, since_time, attempts, scope, element_type, latest, replaced, sequence_number, comment,
        create_time, CASE WHEN length IS NULL THEN NULL
          WHEN replaced IS NULL THEN (SELECT content FROM element e
            WHERE e.sequence_id = page.sequence_id AND e.element_id = page.element_id)
          ELSE (SELECT content FROM version v WHERE v.sequence_id = page.sequence_id
            AND v.element_id = page.element_id AND v.version_number = page.version_number) END`)} END`,
    'place',
  )} AS rows
  FROM page`,
);

/** A row of a page, in the order of its columns. */
type DueRow = readonly [
  sequenceId: number,
  elementId: number,
  versionNumber: number,
  nextTryTime: number,
  mark: string,
  wantedRevision: number,
  sinceTime: number,
  attempts: number,
  scope: string,
  elementType: ElementType,
  latest: number | null,
  replaced: number | null,
  sequenceNumber: number,
  comment: string,
  createTime: number,
  content: string | null,
];

function dueOf(row: DueRow): DueDocument {
  return {
    sequenceId: row[0],
    elementId: row[1],
    versionNumber: row[2],
    mark: row[4],
    wantedRevision: row[5],
    sinceTime: row[6],
    attempts: row[7],
    scope: row[8],
    elementType: row[9],
  };
}

function stateOf(row: DueRow): DocumentState | null {
  const [latest, replaced] = [row[10], row[11]];
  if (latest === null || (replaced === null && latest !== row[2])) return null;
  return {
    isLatest: replaced === null,
    sequenceNumber: row[12],
    comment: row[13],
    createTime: row[14],
    content: row[15],
  };
}

const COUNTS = `SELECT count(*) AS dirty, count(*) FILTER (WHERE next_try_time = ${PARKED}) AS parked,
    min(CASE WHEN next_try_time < ${PARKED} THEN since_time END) AS "oldestTime"
  FROM dirty_document`;

const PENDING = `SELECT d.element_id AS "elementId", d.version_number AS "versionNumber",
    CASE WHEN d.next_try_time = ${PARKED} THEN 1 ELSE 0 END AS parked
  FROM sequence s CROSS JOIN dirty_document d
  WHERE s.scope = ?1 AND s.element_type = ?2 AND d.sequence_id = s.id AND d.since_revision <= ?3
  ORDER BY parked DESC LIMIT 1`;

const LIST_PARKED = `SELECT d.sequence_id AS "sequenceId", d.element_id AS "elementId",
    d.version_number AS "versionNumber", s.scope, s.element_type AS "elementType", d.attempts, d.error
  FROM dirty_document d CROSS JOIN sequence s
  WHERE d.next_try_time = ${PARKED} AND s.id = d.sequence_id
    AND (d.sequence_id, d.element_id, d.version_number) > (?1, ?2, ?3)
  ORDER BY d.sequence_id, d.element_id, d.version_number LIMIT ?4`;

/** What is read of the dirty documents, on a connection that only reads. All throw DatabaseError. */
export class SyncReads {
  readonly #source: DataSource;
  readonly #engine: Engine;

  constructor(source: DataSource, engine: Engine) {
    this.#source = source;
    this.#engine = engine;
  }

  /** The documents of a priority that are due at `now` (microseconds), the longest due first. */
  async due(priority: number, now: number, limits: DueLimits, after?: DueCursor): Promise<DuePage> {
    const [answer] = await this.#query<{ found: number; rows: string | null }>(DUE, [
      priority,
      now,
      after?.nextTryTime ?? -1,
      after?.sequenceId ?? 0,
      after?.elementId ?? 0,
      after?.versionNumber ?? 0,
      limits.documents,
      limits.bytes,
    ]);
    const rows = JSON.parse(`[${answer!.rows ?? ''}]`) as DueRow[];
    const last = rows.at(-1);
    const ended = last === undefined || (rows.length === answer!.found && rows.length < limits.documents);
    return {
      documents: rows.map((row) => ({ due: dueOf(row), state: stateOf(row) })),
      next: ended
        ? undefined
        : { sequenceId: last[0], elementId: last[1], versionNumber: last[2], nextTryTime: last[3] },
    };
  }

  /**
   * When the next document becomes due after `after`, microseconds since the epoch; undefined where none will by
   * itself. What was due before and could not be sent waits for another document, which has a time of its own.
   */
  async nextDueTime(after: number): Promise<number | undefined> {
    const [row] = await this.#query<{ next: number | null }>(
      `SELECT min(next) AS next FROM (SELECT min(next_try_time) AS next FROM dirty_document
         WHERE priority IN (0, 1) AND next_try_time > ?1 AND next_try_time < ${PARKED} GROUP BY priority) AS times`,
      [after],
    );
    return row?.next ?? undefined;
  }

  async counts(): Promise<DirtyCounts> {
    const [row] = await this.#query<DirtyCounts>(COUNTS, []);
    return row!;
  }

  /** A document that the index must still acknowledge before it has followed a sequence up to a revision. */
  async pending(
    scope: string,
    elementType: ElementType,
    revision: number,
  ): Promise<{ elementId: number; versionNumber: number; parked: boolean } | undefined> {
    const [row] = await this.#query<{ elementId: number; versionNumber: number; parked: number }>(PENDING, [
      scope,
      elementType,
      revision,
    ]);
    return row && { ...row, parked: row.parked === 1 };
  }

  /** Parked documents behind a key. */
  parked(after: DocumentKey, limit: number): Promise<ParkedDocument[]> {
    return this.#query(LIST_PARKED, [after.sequenceId, after.elementId, after.versionNumber, limit]);
  }

  /** What the documents were last sent to; undefined where nothing was. */
  async target(): Promise<SyncTargetRow | undefined> {
    const [row] = await this.#query<SyncTargetRow>(
      'SELECT id, identity, generation, sending FROM sync_target',
      [],
    );
    return row;
  }

  /** The oldest resync that has not finished. */
  async resync(): Promise<ResyncRow | undefined> {
    const [row] = await this.#query<ResyncRow>(
      `SELECT generation, scope, element_type AS "elementType", cursor_sequence_id AS "cursorSequenceId",
         cursor_element_id AS "cursorElementId", cursor_version_number AS "cursorVersionNumber", marked, total,
         create_time AS "createTime", mark_finish_time AS "markFinishTime", finish_time AS "finishTime"
       FROM resync WHERE finish_time IS NULL ORDER BY generation LIMIT 1`,
      [],
    );
    return row;
  }

  /** How many documents the index is to hold in a scope. */
  async expected(): Promise<number> {
    const [row] = await this.#query<{ n: number }>(
      'SELECT (SELECT count(*) FROM element) + (SELECT count(*) FROM version) AS n',
      [],
    );
    return row!.n;
  }

  /** Whether there is a document that the index is to hold and that is not dirty, or may not be soon: it is being sent. */
  async anyClean(): Promise<boolean> {
    const clean = (table: string) => `EXISTS (SELECT 1 FROM ${table} LEFT JOIN dirty_document d
      USING (sequence_id, element_id, version_number)
      WHERE d.mark IS NULL OR d.lease_expire_time IS NOT NULL)`;
    const [row] = await this.#query<{ clean: number }>(
      `SELECT CASE WHEN ${clean('element')} OR ${clean('version')} THEN 1 ELSE 0 END AS clean`,
      [],
    );
    return row!.clean === 1;
  }

  /** How many documents of low priority are dirty, parked ones apart, counted up to `limit`. */
  async backlog(limit: number): Promise<number> {
    const [row] = await this.#query<{ n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM dirty_document
         WHERE priority = 1 AND next_try_time < ${PARKED} LIMIT ?1) AS waiting`,
      [limit],
    );
    return row!.n;
  }

  /** How many documents of a scope are dirty since `before` (microseconds) or longer, parked ones apart. */
  async dirtyBefore(scope: string | null, elementType: string | null, before: number): Promise<number> {
    const [row] = await this.#query<{ n: number }>(
      `SELECT count(*) AS n FROM dirty_document d CROSS JOIN sequence s
       WHERE s.id = d.sequence_id AND d.next_try_time < ${PARKED} AND d.since_time <= ?3
         AND (CAST(?1 AS text) IS NULL OR s.scope = ?1)
         AND (CAST(?2 AS text) IS NULL OR s.element_type = ?2)`,
      [scope, elementType, before],
    );
    return row!.n;
  }

  async #query<Row>(sql: Statement | string, parameters: unknown[]): Promise<Row[]> {
    try {
      return await this.#source.query<Row[]>(textFor(this.#engine, sql), parameters);
    } catch (error) {
      throw databaseError(this.#engine, error);
    }
  }
}

const keyOf = (key: DocumentKey) => [key.sequenceId, key.elementId, key.versionNumber];

// Keys, and what else a document comes with.
const ROWS = ({ each, item }: Words, rest: string) => `WITH k AS MATERIALIZED (
    SELECT ${item(0, 'integer')} AS sequence_id, ${item(1, 'bigint')} AS element_id,
      ${item(2, 'integer')} AS version_number${rest} FROM ${each('?1')})`;
const SAME = (d: string) => `${d}.sequence_id = k.sequence_id AND ${d}.element_id = k.element_id
  AND ${d}.version_number = k.version_number`;
const SAME_MARK = (d: string) => `${SAME(d)} AND ${d}.mark = k.mark`;

// Documents that another transaction is changing are passed over, so that who clears marks never waits for a writer
// who may be waiting for him. What is passed over stays dirty and is sent again.
const RAISE = statement(
  (words) => `${ROWS(words, `, ${words.item(3, 'bigint')} AS revision, ${words.item(4, 'bigint')} AS time`)}
  UPDATE dirty_document SET since_revision = k.revision, since_time = k.time
  ${words.matching('dirty_document', 'k', SAME, 'skip')}`,
);
const POSTPONE = statement(
  (words) => `${ROWS(
    words,
    `, ${words.item(3, 'text')} AS mark, ${words.item(4, 'bigint')} AS time, ${words.item(5, 'integer')} AS attempts,
      ${words.item(6, 'text')} AS error`,
  )}
  UPDATE dirty_document SET next_try_time = k.time, attempts = k.attempts, error = k.error
  ${words.matching('dirty_document', 'k', SAME_MARK, 'skip')}`,
);
const HASTEN = statement(
  ({ json }) => `UPDATE dirty_document SET next_try_time = ${json('?1', 0, 'bigint')}
  WHERE next_try_time > ${json('?1', 1, 'bigint')} AND next_try_time < ${PARKED}`,
);
const UNPARK = `UPDATE dirty_document SET next_try_time = 0, attempts = 0`;
const UNPARK_ALL = `WITH one AS (SELECT 1) ${UNPARK} WHERE next_try_time = ${PARKED} RETURNING 1`;
const UNPARK_LISTED = statement(
  ({ each, item, probe, matching }) => `WITH k AS MATERIALIZED (
    SELECT s.id AS sequence_id, ${item(2, 'bigint')} AS element_id, ${item(3, 'integer')} AS version_number
    FROM ${each('?1')}
      ${probe('sequence', 's', `s.scope = ${item(0, 'text')} AND s.element_type = ${item(1, 'text')}`)})
  ${UNPARK} ${matching('dirty_document', 'k', SAME)} AND next_try_time = ${PARKED} RETURNING 1`,
);
const SAVE_TARGET = statement(
  ({ greatest }) => `INSERT INTO sync_target (id, identity, generation, sending) VALUES (1, ?1, ?2, ?3)
  ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, sending = excluded.sending,
    generation = ${greatest('sync_target.generation', 'excluded.generation')}`,
);
const RETARGET = `INSERT INTO sync_target (id, identity, generation, sending) VALUES (1, ?1, ?2, 0)
  ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, identity = excluded.identity,
    sending = CASE WHEN sync_target.identity = excluded.identity THEN sync_target.sending ELSE 0 END`;

// Documents that were marked together share their mark: the list names it once for all of them.
const CLEAR = statement(
  ({ each, item, value, deleteMatching }) => `WITH g AS MATERIALIZED (
    SELECT ${item(0, 'integer')} AS sequence_id, ${item(1, 'integer')} AS version_number, ${item(2, 'text')} AS mark,
      ${item(3, 'text')} AS elements
    FROM ${each('?1')}),
  k AS MATERIALIZED (
    SELECT sequence_id, ${value('bigint', 'e')} AS element_id, version_number, mark
    FROM g CROSS JOIN ${each('g.elements', 'e')})
  ${deleteMatching('dirty_document', 'k', ['sequence_id', 'element_id', 'version_number', 'mark'], 'skip')}`,
);
/** How many rows the last statement changed; where the engine does not tell, every document is looked at again. */
const CLEARED: Statement = { sqlite: 'SELECT changes() AS n', postgres: 'SELECT 0 AS n' };

/** Clears documents that the index has acknowledged; one that changed meanwhile stays, since its newer revision. */
export async function acknowledge(
  tx: WriteTransaction,
  documents: readonly Pick<DueDocument, keyof DocumentKey | 'mark' | 'wantedRevision'>[],
  now: number,
): Promise<void> {
  if (documents.length === 0) return;
  tx.execute(CLEAR, [JSON.stringify(byMark(documents))]);
  const [cleared] = await tx.query<{ n: number }>(CLEARED, []);
  if (cleared!.n === documents.length) return;
  tx.execute(RAISE, [JSON.stringify(documents.map((d) => [...keyOf(d), d.wantedRevision + 1, now]))]);
}

/** Neighbours of one sequence, version and mark, as one group. */
function byMark(documents: readonly Pick<DueDocument, keyof DocumentKey | 'mark'>[]): unknown[] {
  const groups: [number, number, string, number[]][] = [];
  for (const { sequenceId, elementId, versionNumber, mark } of documents) {
    const last = groups.at(-1);
    if (last !== undefined && last[0] === sequenceId && last[1] === versionNumber && last[2] === mark)
      last[3].push(elementId);
    else groups.push([sequenceId, versionNumber, mark, [elementId]]);
  }
  return groups;
}

/** Makes documents due at another time, with the attempts and the error that led to it. */
export function postpone(
  tx: WriteTransaction,
  documents: readonly (DocumentKey & {
    mark: string;
    nextTryTime: number;
    attempts: number;
    error: string | null;
  })[],
): void {
  if (documents.length === 0) return;
  tx.execute(POSTPONE, [
    JSON.stringify(
      documents.map((d) => [...keyOf(d), d.mark, Math.ceil(d.nextTryTime), d.attempts, d.error]),
    ),
  ]);
}

/**
 * Makes documents due at `now` (microseconds) whose next try is further away than any wait: it was written before
 * the clock was put back.
 */
export function hasten(tx: WriteTransaction, now: number, longestWait: number): void {
  tx.execute(HASTEN, [JSON.stringify([now, now + longestWait])]);
}

/** A document by its scope and type, where its sequence's id is not known. */
export type NamedDocument = readonly [
  scope: string,
  elementType: ElementType,
  elementId: number,
  versionNumber: number,
];

/** Makes parked documents due: the given ones, or all. Returns how many were parked. */
export async function unpark(
  tx: WriteTransaction,
  documents: readonly NamedDocument[] | 'all',
): Promise<number> {
  const rows =
    documents === 'all'
      ? await tx.query(UNPARK_ALL)
      : await tx.query(UNPARK_LISTED, [JSON.stringify(documents)]);
  return rows.length;
}

/** The identity of a target where documents have not been sent, or nobody knows to which. */
export const UNKNOWN_TARGET = '';

/** Notes what the documents are sent to, and whether a process is sending. */
export function saveTarget(tx: WriteTransaction, target: Omit<SyncTargetRow, 'id'>): void {
  tx.execute(SAVE_TARGET, [target.identity, target.generation, target.sending]);
}

/** Notes that documents of a new generation go to this target, where they may have gone to another before. */
export function retarget(tx: WriteTransaction, identity: string, generation: number): void {
  tx.execute(RETARGET, [identity, generation]);
}
