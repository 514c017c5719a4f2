import { statement, type Words } from '../engine.ts';
import type { WriteTransaction } from '../transaction.ts';

/** A new state deserves new attempts, at once: whatever was refused before was another document. */
export const upsertDirty = ({
  least,
}: Words) => `ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
  wanted_revision = excluded.wanted_revision, priority = ${least('dirty_document.priority', 'excluded.priority')}, attempts = 0,
  next_try_time = 0, error = NULL`;
/** What comes before the rows of marks. */
export const INTO_DIRTY = `INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision,
  wanted_revision, since_time, priority, attempts, next_try_time)`;

// Both engines need the WHERE: without it they would take ON for a join's.
const MARK_LISTED = statement(
  (words) => `${INTO_DIRTY}
  SELECT ${words.item(0, 'integer')}, ${words.item(1, 'bigint')}, ${words.item(2, 'integer')}, ?2,
    ${words.item(3, 'bigint')}, ${words.item(3, 'bigint')}, ${words.item(4, 'bigint')}, 0, 0, 0
  FROM ${words.each('?1')} WHERE true
  ${upsertDirty(words)}`,
);

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

const MARK_RANGE = statement(
  (words) => `${INTO_DIRTY}
  SELECT sequence_id, element_id, version_number, ?4, ${words.json('?5', 0, 'bigint')},
    ${words.json('?5', 0, 'bigint')}, ${words.json('?5', 1, 'bigint')}, 0, 0, 0
  FROM element WHERE sequence_id = ?1 AND sequence_number BETWEEN ?2 AND ?3
  ${upsertDirty(words)}`,
);

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

const MARK_VERSIONS = statement(
  (words) => `WITH RECURSIVE v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < ?3)
  ${INTO_DIRTY}
  SELECT ?1, ${words.json('?2', 0, 'bigint')}, n, ?4, ${words.json('?2', 1, 'bigint')},
    ${words.json('?2', 1, 'bigint')}, ${words.json('?2', 2, 'bigint')}, 0, 0, 0 FROM v WHERE true
  ${upsertDirty(words)}`,
);

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
