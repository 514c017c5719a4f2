import type { ElementType, SequenceRow } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';

const LOCK = `SELECT s.id, s.scope, s.element_type AS "elementType", s.size, s.revision,
    s.order_revision AS "orderRevision", s.last_change_time AS "lastChangeTime"
  FROM json_each(?1) k CROSS JOIN sequence s
  WHERE s.scope = k.value->>0 AND s.element_type = k.value->>1`;

/**
 * Locks sequences and returns the rows of those that were ever used. On SQLite the transaction itself is the
 * lock: BEGIN IMMEDIATE has excluded every other writer before this reads.
 */
export function lockSequences(
  tx: WriteTransaction,
  keys: readonly (readonly [scope: string, elementType: ElementType])[],
): Promise<SequenceRow[]> {
  return tx.query<SequenceRow>(LOCK, [JSON.stringify(keys)]);
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

const UPDATE = `WITH n AS MATERIALIZED (
    SELECT value->>0 AS id, value->>1 AS size, value->>2 AS revision, value->>3 AS order_revision,
      value->>4 AS last_change_time
    FROM json_each(?1))
  UPDATE sequence SET size = n.size, revision = n.revision, order_revision = n.order_revision,
    last_change_time = n.last_change_time
  FROM n WHERE sequence.id = n.id`;

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
