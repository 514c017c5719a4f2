import { statement } from '../engine.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { SqlValue, WriteTransaction } from '../transaction.ts';
import { INTO_DIRTY, upsertDirty } from './dirty-documents.ts';

/** Where an element stands. */
export interface Place {
  elementId: number;
  sequenceNumber: number;
  versionNumber: number;
}

const FIND_BY_KEY = statement(
  ({ each, index, item, probe }) => `SELECT ${index('k')} AS "index", e.sequence_number AS "sequenceNumber"
  FROM ${each('?1')}
    ${probe('sequence', 's', `s.scope = ${item(0, 'text')} AND s.element_type = ${item(1, 'text')}`)}
    ${probe('element', 'e', `e.sequence_id = s.id AND e.element_id = ${item(2, 'bigint')}`)}`,
);

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

const FIND = statement(
  ({ each, value, probe }) => `SELECT e.element_id AS "elementId", e.sequence_number AS "sequenceNumber",
    e.version_number AS "versionNumber"
  FROM ${each('?2')} ${probe('element', 'e', `e.sequence_id = ?1 AND e.element_id = ${value('bigint')}`)}`,
);

/** The places of those of the given elements that exist, in no order. */
export function findElements(
  tx: WriteTransaction,
  sequenceId: number,
  elementIds: readonly number[],
): Promise<Place[]> {
  return tx.query(FIND, [sequenceId, JSON.stringify(elementIds)]);
}

// Two texts: a driver makes an object of each row, on the thread that answers callers.
const FIND_ALL_NUMBERS = statement(
  ({ joined }) => `SELECT ${joined('CAST(element_id AS text)', 'element_id')} AS ids,
    ${joined('CAST(sequence_number AS text)', 'element_id')} AS numbers
  FROM (SELECT element_id, sequence_number FROM element WHERE sequence_id = ?1 ORDER BY element_id) e`,
);

/** Elements and their numbers: `numbers[n]` is the number of `ids[n]`. */
export interface ElementNumbers {
  readonly ids: readonly number[];
  readonly numbers: readonly number[];
}

/** The numbers of all elements of a sequence, in the order of their ids: cheaper than {@link findElements} for most of them. */
export async function findAllNumbers(tx: WriteTransaction, sequenceId: number): Promise<ElementNumbers> {
  const [row] = await tx.query<{ ids: string | null; numbers: string | null }>(FIND_ALL_NUMBERS, [
    sequenceId,
  ]);
  return { ids: listOf(row!.ids), numbers: listOf(row!.numbers) };
}

function listOf(joined: string | null): number[] {
  return JSON.parse(`[${joined ?? ''}]`) as number[];
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

const INSERT = statement(
  ({
    each,
    item,
  }) => `INSERT INTO element (sequence_id, element_id, sequence_number, version_number, create_time,
    update_time, comment, content)
  SELECT ${item(0, 'integer')}, ${item(1, 'bigint')}, ${item(2, 'integer')}, 1, ${item(3, 'bigint')},
    ${item(3, 'bigint')}, ${item(4, 'text')}, ${item(5, 'text')} FROM ${each('?1')}`,
);

/** Inserts elements with version 1. */
export function insertElements(tx: WriteTransaction, rows: readonly NewElement[]): void {
  tx.execute(INSERT, [JSON.stringify(rows)]);
}

// Numbers are unique at every moment. Where that is checked row by row, they pass through their negatives; where it
// is checked when a statement ends, one does it all.
const NEGATE_RANGE = `UPDATE element SET sequence_number = -(sequence_number + ?4)
  WHERE sequence_id = ?1 AND sequence_number BETWEEN ?2 AND ?3`;
const NEGATE_LISTED = statement(
  ({ each, item, matching }) => `WITH n AS MATERIALIZED (
    SELECT ${item(0, 'bigint')} AS id, ${item(1, 'integer')} AS number FROM ${each('?2')})
  UPDATE element SET sequence_number = -n.number
  ${matching('element', 'n', (e) => `${e}.sequence_id = ?1 AND ${e}.element_id = n.id`)}`,
);
const FLIP =
  'UPDATE element SET sequence_number = -sequence_number WHERE sequence_id = ?1 AND sequence_number < 0';
const SHIFT_RANGE = `UPDATE element SET sequence_number = sequence_number + ?4
  WHERE sequence_id = ?1 AND sequence_number BETWEEN ?2 AND ?3`;
const MOVE = statement(
  ({ json }) => `UPDATE element
  SET sequence_number = CASE WHEN element_id = ${json('?2', 0, 'bigint')} THEN ${json('?2', 1, 'integer')}
    ELSE sequence_number + ?5 END
  WHERE sequence_id = ?1
    AND (sequence_number BETWEEN ?3 AND ?4 OR sequence_number = ${json('?2', 2, 'integer')})`,
);

/** Adds `by` to the numbers first..last of a sequence. */
export function shiftElements(
  tx: WriteTransaction,
  sequenceId: number,
  range: { first: number; last: number; by: number },
): void {
  const parameters = [sequenceId, range.first, range.last, range.by];
  if (tx.engine.capabilities.checksAtStatementEnd) {
    tx.execute(SHIFT_RANGE, parameters);
    return;
  }
  tx.execute(NEGATE_RANGE, parameters);
  tx.execute(FLIP, [sequenceId]);
}

const MARK_NEGATED = statement(
  (words) => `${INTO_DIRTY}
  SELECT sequence_id, element_id, version_number, ?2, ${words.json('?3', 0, 'bigint')}, ${words.json('?3', 0, 'bigint')},
    ${words.json('?3', 1, 'bigint')}, 0, 0, 0
  FROM element WHERE sequence_id = ?1 AND sequence_number < 0
  ${upsertDirty(words)}`,
);
// Only for engines that write inside of WITH.
const RENUMBER_AND_MARK = statement(
  (words) => `WITH n AS MATERIALIZED (
    SELECT ${words.item(0, 'bigint')} AS id, ${words.item(1, 'integer')} AS number FROM ${words.each('?4')}),
  renumbered AS (
    UPDATE element SET sequence_number = n.number
    ${words.matching('element', 'n', (e) => `${e}.sequence_id = ?1 AND ${e}.element_id = n.id`)}
    RETURNING element.element_id, element.version_number)
  ${INTO_DIRTY}
  SELECT ?1, element_id, version_number, ?2, ${words.json('?3', 0, 'bigint')}, ${words.json('?3', 0, 'bigint')},
    ${words.json('?3', 1, 'bigint')}, 0, 0, 0
  FROM renumbered WHERE true
  ${upsertDirty(words)}`,
);

/**
 * Gives listed elements new numbers, which they hold among themselves, and marks their latest documents: which those
 * are, the database knows from renumbering them.
 */
export function renumberElements(
  tx: WriteTransaction,
  sequenceId: number,
  { ids, numbers }: ElementNumbers,
  change: { revision: number; time: number },
  mark: string,
): void {
  // Without an array for each, of which a collection of the young would find thousands.
  let pairs = '';
  for (const [index, id] of ids.entries()) pairs += `${index === 0 ? '' : ','}[${id},${numbers[index]!}]`;
  const listed = `[${pairs}]`;
  const marks: SqlValue[] = [sequenceId, mark, JSON.stringify([change.revision, change.time])];
  if (tx.engine.capabilities.checksAtStatementEnd) {
    tx.execute(RENUMBER_AND_MARK, [...marks, listed]);
    return;
  }
  tx.execute(NEGATE_LISTED, [sequenceId, listed]);
  tx.execute(MARK_NEGATED, marks);
  tx.execute(FLIP, [sequenceId]);
}

/** Moves one element from one number to another and shifts the range between by one. */
export function moveElement(
  tx: WriteTransaction,
  sequenceId: number,
  move: { elementId: number; from: number; to: number; first: number; last: number; by: number },
): void {
  const { elementId, from, to, first, last, by } = move;
  if (tx.engine.capabilities.checksAtStatementEnd) {
    tx.execute(MOVE, [sequenceId, JSON.stringify([elementId, to, from]), first, last, by]);
    return;
  }
  tx.execute(NEGATE_LISTED, [sequenceId, JSON.stringify([[elementId, to]])]);
  tx.execute(NEGATE_RANGE, [sequenceId, first, last, by]);
  tx.execute(FLIP, [sequenceId]);
}

const deleteFrom = (table: string) =>
  statement(
    ({ json }) => `DELETE FROM ${table} WHERE sequence_id = ?1 AND element_id = ${json('?2', 0, 'bigint')}`,
  );
const DELETE_VERSIONS = deleteFrom('version');
const DELETE = deleteFrom('element');

/** Deletes an element with all its versions. */
export function deleteElement(tx: WriteTransaction, sequenceId: number, elementId: number): void {
  const parameters: SqlValue[] = [sequenceId, JSON.stringify([elementId])];
  tx.execute(DELETE_VERSIONS, parameters);
  tx.execute(DELETE, parameters);
}

const KEEP_VERSION = statement(
  ({ json }) => `INSERT INTO version (sequence_id, element_id, version_number, sequence_number, create_time,
    comment, content)
  SELECT sequence_id, element_id, version_number, sequence_number, update_time, comment, content
  FROM element WHERE sequence_id = ?1 AND element_id = ${json('?2', 0, 'bigint')}`,
);
const REPLACE_VERSION = statement(
  ({
    json,
  }) => `UPDATE element SET version_number = version_number + 1, update_time = ${json('?2', 1, 'bigint')},
    comment = ?3, content = ?4
  WHERE sequence_id = ?1 AND element_id = ${json('?2', 0, 'bigint')}`,
);

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
