import { statement, type Words } from '../engine.ts';
import type { ElementType, SequenceRow } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';

/** A sequence's key, and its row once it is locked; null where another transaction holds it. */
export interface SequenceLock {
  readonly scope: string;
  readonly elementType: ElementType;
  readonly row: SequenceRow | null;
}

const keyOf =
  ({ item }: Words) =>
  (s: string) =>
    `${s}.scope = ${item(0, 'text')} AND ${s}.element_type = ${item(1, 'text')}`;
const LOCK = statement(
  (words) => `SELECT s.id, s.scope, s.element_type AS "elementType", s.size, s.revision,
    s.order_revision AS "orderRevision", s.last_change_time AS "lastChangeTime"
  FROM ${words.each('?1')} ${words.probe('sequence', 's', keyOf(words)('s'), 'wait')}`,
);
// What is locked is read as it is now; what is there at all, as it was when the statement began.
const LOCK_FREE = statement(
  (words) => `SELECT free.id, s.scope, s.element_type AS "elementType", free.size, free.revision,
    free.order_revision AS "orderRevision", free.last_change_time AS "lastChangeTime"
  FROM ${words.each('?1')} ${words.probe('sequence', 's', keyOf(words)('s'))}
    ${words.leftProbe('sequence', 'free', 'free.id = s.id', 'skip')}`,
);

/**
 * Locks sequences and returns those that were ever used. On SQLite the transaction itself is the lock: BEGIN IMMEDIATE
 * has excluded every other writer before this reads. On PostgreSQL it is the row. One sequence is waited for; of
 * several, those that others hold are passed over, so that a busy one does not hold up the rest; nobody who holds one
 * waits for another.
 */
export async function lockSequences(
  tx: WriteTransaction,
  keys: readonly (readonly [scope: string, elementType: ElementType])[],
): Promise<SequenceLock[]> {
  const several = keys.length > 1 && tx.engine.capabilities.locksRows;
  const rows = await tx.query<Omit<SequenceRow, 'id'> & { id: number | null }>(several ? LOCK_FREE : LOCK, [
    JSON.stringify(keys),
  ]);
  return rows.map(({ id, ...row }) => ({
    scope: row.scope,
    elementType: row.elementType,
    row: id === null ? null : { id, ...row },
  }));
}

const CREATE = `INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
  VALUES (?1, ?2, 0, 0, 0, 0) RETURNING id`;

/** Inserts the row of a sequence that is used for the first time; returns its id. */
export async function createSequence(
  tx: WriteTransaction,
  scope: string,
  elementType: ElementType,
): Promise<number> {
  const [row] = await tx.query<{ id: number }>(CREATE, [scope, elementType]);
  return row!.id;
}

const UPDATE = statement(
  ({ each, item, matching }) => `WITH n AS MATERIALIZED (
    SELECT ${item(0, 'integer')} AS id, ${item(1, 'integer')} AS size, ${item(2, 'bigint')} AS revision,
      ${item(3, 'bigint')} AS order_revision, ${item(4, 'bigint')} AS last_change_time
    FROM ${each('?1')})
  UPDATE sequence SET size = n.size, revision = n.revision, order_revision = n.order_revision,
    last_change_time = n.last_change_time
  ${matching('sequence', 'n', (s) => `${s}.id = n.id`)}`,
);

/** Writes the counters of locked sequences back. */
export function updateSequences(
  tx: WriteTransaction,
  rows: readonly Pick<SequenceRow, 'id' | 'size' | 'revision' | 'orderRevision' | 'lastChangeTime'>[],
): void {
  tx.execute(UPDATE, [
    JSON.stringify(
      rows.map((row) => [row.id, row.size, row.revision, row.orderRevision, row.lastChangeTime]),
    ),
  ]);
}
