import type { ElementType } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';

/** An element to put at the end of a sequence. */
export type AppendRow = readonly [elementId: number, comment: string, content: string | null, caller: string];

/** A sequence as it was before elements were put at its end; the first of them took the next of each number. */
export interface AppendBase {
  readonly size: number;
  readonly revision: number;
  /** Microseconds since the epoch. */
  readonly time: number;
}

// Only for engines that write inside of WITH. The counter is locked by being changed, and what follows counts from what
// the lock has answered; of the other tables nothing is read, for they would be seen as they were before it waited.
const APPEND = `WITH s AS (
    UPDATE sequence SET size = size + ?4::integer, revision = revision + ?4, order_revision = revision + ?4,
      last_change_time = GREATEST(?5::bigint, last_change_time + 1) + ?4 - 1
    WHERE scope = ?1 AND element_type = ?2
    RETURNING id, size - ?4 AS size, revision - ?4 AS revision, last_change_time - ?4 AS time),
  n AS MATERIALIZED (
    SELECT s.id, (k.value->>0)::bigint AS element_id, k.value->>1 AS comment, k.value->>2 AS content,
      k.value->>3 AS caller, s.size + k.key AS number, s.revision + k.key AS revision, s.time + k.key AS time
    FROM s CROSS JOIN jsonb_array_elements(?3::jsonb) WITH ORDINALITY AS k(value, key)),
  elements AS (
    INSERT INTO element (sequence_id, element_id, sequence_number, version_number, create_time, update_time, comment,
      content)
    SELECT id, element_id, number, 1, time, time, comment, content FROM n),
  marks AS (
    INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision, wanted_revision,
      since_time, priority, attempts, next_try_time)
    SELECT id, element_id, 1, ?6, revision, revision, time, 0, 0, 0 FROM n
    ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
      wanted_revision = excluded.wanted_revision, priority = LEAST(dirty_document.priority, excluded.priority),
      attempts = 0, next_try_time = 0, error = NULL),
  changes AS (
    INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller, batch_token)
    SELECT id, revision, time, 'generate', comment, caller, ?6 FROM n)
  SELECT size, revision, time FROM s`;

/**
 * Puts elements at the end of a sequence, with their marks and changes: all in one statement. None of them may exist:
 * the constraints refuse all then.
 *
 * @param now the clock, microseconds since the epoch
 * @returns the sequence before; undefined where it was never used, and nothing is written
 */
export async function appendElements(
  tx: WriteTransaction,
  [scope, elementType]: readonly [scope: string, elementType: ElementType],
  rows: readonly AppendRow[],
  now: number,
  token: string,
): Promise<AppendBase | undefined> {
  const parameters = [scope, elementType, JSON.stringify(rows), rows.length, now, token];
  const [base] = await tx.query<AppendBase>(APPEND, parameters);
  return base;
}

/** How many changes back the newest is that can be looked for. */
const MAX_LOOK_BACK = 100_000;
const FIND_APPENDED = `SELECT s.size, s.order_revision AS "orderRevision", c.revision, c.change_time AS time
  FROM sequence s JOIN change c ON c.sequence_id = s.id
  WHERE s.scope = ?1 AND s.element_type = ?2 AND c.revision > s.revision - ${MAX_LOOK_BACK} AND c.batch_token = ?3
  ORDER BY c.revision`;

/**
 * What {@link appendElements} has answered, where that was lost. The caller holds the lock of the sequence.
 *
 * @returns undefined where it was not committed; `moved on` where it was, and the order has changed since, so that
 * the numbers can no longer be told
 */
export async function findAppended(
  tx: WriteTransaction,
  [scope, elementType]: readonly [scope: string, elementType: ElementType],
  token: string,
): Promise<AppendBase | 'moved on' | undefined> {
  const rows = await tx.query<{ size: number; orderRevision: number; revision: number; time: number }>(
    FIND_APPENDED,
    [scope, elementType, token],
  );
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  if (last.orderRevision !== last.revision) return 'moved on';
  return { size: first.size - rows.length, revision: first.revision - 1, time: first.time - 1 };
}
