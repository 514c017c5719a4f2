import type { AppendBase, AppendForm } from './append-form.ts';

/**
 * The counter is locked by being changed, and what follows counts from what the lock has answered; of the other tables
 * nothing is read, for they would be seen as they were before it waited. It is for one sequence: transactions that change
 * the counters of several could wait for each other.
 */
export const POSTGRES_APPEND: AppendForm = {
  sql: `WITH s AS (
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
  SELECT size, revision, time FROM s`,
  parameters: ([appends], { now, token }) => {
    const { scope, elementType, rows } = appends!;
    return [scope, elementType, JSON.stringify(rows), rows.length, now, token];
  },
  bases: ([base]) => [base as AppendBase | undefined],
};
