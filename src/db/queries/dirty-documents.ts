import type { WriteTransaction } from '../transaction.ts';

// A new state deserves new attempts, at once: whatever was refused before was another document.
const UPSERT = `ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
  wanted_revision = excluded.wanted_revision, priority = min(priority, excluded.priority), attempts = 0,
  next_try_time = 0, error = NULL`;
const INTO = `INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision,
  wanted_revision, since_time, priority, attempts, next_try_time)`;

const MARK_LISTED = `${INTO}
  SELECT value->>0, value->>1, value->>2, ?2, value->>3, value->>3, value->>4, 0, 0, 0 FROM json_each(?1) WHERE true
  ${UPSERT}`;

/** A document to mark: its key, and the revision and time (microseconds) of the change that touched it. */
export type DocumentMark = readonly [
  sequenceId: number,
  elementId: number,
  versionNumber: number,
  revision: number,
  time: number,
];

/**
 * Marks listed documents dirty.
 * @param mark random, fresh for each batch: two markings of one document in one batch are never seen apart
 */
export function markDocuments(tx: WriteTransaction, documents: readonly DocumentMark[], mark: string): void {
  tx.execute(MARK_LISTED, [JSON.stringify(documents), mark]);
}

const MARK_RANGE = `${INTO}
  SELECT sequence_id, element_id, version_number, ?4, json(?5)->>0, json(?5)->>0, json(?5)->>1, 0, 0, 0
  FROM element WHERE sequence_id = ?1 AND sequence_number BETWEEN ?2 AND ?3
  ${UPSERT}`;

/** Marks the latest documents of the elements that hold the numbers first..last now. */
export function markRange(
  tx: WriteTransaction,
  sequenceId: number,
  range: { first: number; last: number; revision: number; time: number },
  mark: string,
): void {
  tx.execute(MARK_RANGE, [
    sequenceId,
    range.first,
    range.last,
    mark,
    JSON.stringify([range.revision, range.time]),
  ]);
}

const MARK_VERSIONS = `WITH RECURSIVE v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < ?3)
  ${INTO}
  SELECT ?1, json(?2)->>0, n, ?4, json(?2)->>1, json(?2)->>1, json(?2)->>2, 0, 0, 0 FROM v WHERE true
  ${UPSERT}`;

/** Marks the documents 1..versionNumber of one element. */
export function markVersions(
  tx: WriteTransaction,
  sequenceId: number,
  element: { elementId: number; versionNumber: number; revision: number; time: number },
  mark: string,
): void {
  tx.execute(MARK_VERSIONS, [
    sequenceId,
    JSON.stringify([element.elementId, element.revision, element.time]),
    element.versionNumber,
    mark,
  ]);
}
