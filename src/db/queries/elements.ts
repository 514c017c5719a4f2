import type { ElementType } from '../entities/sequence.ts';
import type { SqlValue, WriteTransaction } from '../transaction.ts';

/** Where an element stands. */
export interface Place {
  elementId: number;
  sequenceNumber: number;
  versionNumber: number;
}

const FIND_BY_KEY = `SELECT k.key AS "index", e.sequence_number AS "sequenceNumber"
  FROM json_each(?1) k CROSS JOIN sequence s CROSS JOIN element e
  WHERE s.scope = k.value->>0 AND s.element_type = k.value->>1
    AND e.sequence_id = s.id AND e.element_id = k.value->>2`;

/**
 * Tells which of the given elements exist: the index of each in `keys`, and its number. Needs no sequence id,
 * so that it can be asked together with the lock.
 */
export function findElementsByKey(
  tx: WriteTransaction,
  keys: readonly (readonly [scope: string, elementType: ElementType, elementId: number])[],
): Promise<{ index: number; sequenceNumber: number }[]> {
  return tx.query(FIND_BY_KEY, [JSON.stringify(keys)]);
}

const FIND = `SELECT e.element_id AS "elementId", e.sequence_number AS "sequenceNumber",
    e.version_number AS "versionNumber"
  FROM json_each(?2) k CROSS JOIN element e
  WHERE e.sequence_id = ?1 AND e.element_id = k.value`;

/** The places of those of the given elements that exist, in no order. */
export function findElements(
  tx: WriteTransaction,
  sequenceId: number,
  elementIds: readonly number[],
): Promise<Place[]> {
  return tx.query(FIND, [sequenceId, JSON.stringify(elementIds)]);
}

/** A row to insert: sequence id, element id, sequence number, time (microseconds), comment, content. */
export type NewElement = readonly [
  sequenceId: number,
  elementId: number,
  sequenceNumber: number,
  time: number,
  comment: string,
  content: string | null,
];

const INSERT = `INSERT INTO element (sequence_id, element_id, sequence_number, version_number, create_time,
    update_time, comment, content)
  SELECT value->>0, value->>1, value->>2, 1, value->>3, value->>3, value->>4, value->>5 FROM json_each(?1)`;

/** Inserts elements with version 1. */
export function insertElements(tx: WriteTransaction, rows: readonly NewElement[]): void {
  tx.execute(INSERT, [JSON.stringify(rows)]);
}

// Numbers are unique at every moment, and SQLite checks that row by row: so they pass through their negatives.
const NEGATE_RANGE = `UPDATE element SET sequence_number = -(sequence_number + ?4)
  WHERE sequence_id = ?1 AND sequence_number BETWEEN ?2 AND ?3`;
const NEGATE_LISTED = `WITH n AS MATERIALIZED (SELECT value->>0 AS id, value->>1 AS number FROM json_each(?2))
  UPDATE element SET sequence_number = -n.number FROM n
  WHERE element.sequence_id = ?1 AND element.element_id = n.id`;
const FLIP =
  'UPDATE element SET sequence_number = -sequence_number WHERE sequence_id = ?1 AND sequence_number < 0';

/** Adds `by` to the numbers first..last of a sequence. */
export function shiftElements(
  tx: WriteTransaction,
  sequenceId: number,
  range: { first: number; last: number; by: number },
): void {
  tx.execute(NEGATE_RANGE, [sequenceId, range.first, range.last, range.by]);
  tx.execute(FLIP, [sequenceId]);
}

/** Gives listed elements new numbers; others may hold these until {@link shiftElements} or this flips them. */
export function renumberElements(
  tx: WriteTransaction,
  sequenceId: number,
  numbers: readonly (readonly [elementId: number, sequenceNumber: number])[],
): void {
  tx.execute(NEGATE_LISTED, [sequenceId, JSON.stringify(numbers)]);
  tx.execute(FLIP, [sequenceId]);
}

/** Moves one element to `to` and shifts the range between by one, in a single pass through the negatives. */
export function moveElement(
  tx: WriteTransaction,
  sequenceId: number,
  move: { elementId: number; to: number; first: number; last: number; by: number },
): void {
  tx.execute(NEGATE_LISTED, [sequenceId, JSON.stringify([[move.elementId, move.to]])]);
  tx.execute(NEGATE_RANGE, [sequenceId, move.first, move.last, move.by]);
  tx.execute(FLIP, [sequenceId]);
}

const DELETE_VERSIONS = 'DELETE FROM version WHERE sequence_id = ?1 AND element_id = json(?2)->>0';
const DELETE = 'DELETE FROM element WHERE sequence_id = ?1 AND element_id = json(?2)->>0';

/** Deletes an element with all its versions. */
export function deleteElement(tx: WriteTransaction, sequenceId: number, elementId: number): void {
  const parameters: SqlValue[] = [sequenceId, JSON.stringify([elementId])];
  tx.execute(DELETE_VERSIONS, parameters);
  tx.execute(DELETE, parameters);
}

const KEEP_VERSION = `INSERT INTO version (sequence_id, element_id, version_number, sequence_number, create_time,
    comment, content)
  SELECT sequence_id, element_id, version_number, sequence_number, update_time, comment, content
  FROM element WHERE sequence_id = ?1 AND element_id = json(?2)->>0`;
const REPLACE_VERSION = `UPDATE element SET version_number = version_number + 1, update_time = json(?2)->>1,
    comment = ?3, content = ?4
  WHERE sequence_id = ?1 AND element_id = json(?2)->>0`;

/** Freezes the latest version of an element with the number that it has now, and puts the next in its place. */
export function replaceVersion(
  tx: WriteTransaction,
  sequenceId: number,
  version: { elementId: number; time: number; comment: string; content: string | null },
): void {
  const key = JSON.stringify([version.elementId, version.time]);
  tx.execute(KEEP_VERSION, [sequenceId, key]);
  tx.execute(REPLACE_VERSION, [sequenceId, key, version.comment, version.content]);
}
