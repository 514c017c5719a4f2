import type { AppendBase, AppendForm } from './append-form.ts';

const isSequence = (row: string) => `s.scope = ${row}.scope AND s.element_type = ${row}.element_type`;
const ELEMENTS = `FROM main.sequence s CROSS JOIN json_each(NEW.elements) k WHERE ${isSequence('NEW')}`;
const TIME = 'max(NEW.now, s.last_change_time + 1) + k.key';

/**
 * What a statement of SQLite cannot do by itself, write to several tables: to insert a row into this view, a sequence with
 * its elements, is to write all of it. View and trigger are the connection's own, and go with it (docs/adr/0016).
 */
export const SQLITE_APPEND_VIEW: readonly string[] = [
  `CREATE TEMP VIEW append AS
    SELECT NULL AS scope, NULL AS element_type, NULL AS now, NULL AS token, NULL AS count, NULL AS elements`,
  `CREATE TEMP TRIGGER append_insert INSTEAD OF INSERT ON append BEGIN
    INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
    SELECT NEW.scope, NEW.element_type, 0, 0, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM main.sequence s WHERE ${isSequence('NEW')});
    INSERT INTO element (sequence_id, element_id, sequence_number, version_number, create_time, update_time, comment,
      content)
    SELECT s.id, k.value->>0, s.size + k.key + 1, 1, ${TIME}, ${TIME}, k.value->>1, k.value->>2 ${ELEMENTS};
    INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision, wanted_revision,
      since_time, priority, attempts, next_try_time)
    SELECT s.id, k.value->>0, 1, NEW.token, s.revision + k.key + 1, s.revision + k.key + 1, ${TIME}, 0, 0, 0 ${ELEMENTS}
    ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
      wanted_revision = excluded.wanted_revision, priority = min(dirty_document.priority, excluded.priority),
      attempts = 0, next_try_time = 0, error = NULL;
    INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller, batch_token)
    SELECT s.id, s.revision + k.key + 1, ${TIME}, 'generate', k.value->>1, k.value->>3, NEW.token ${ELEMENTS};
    UPDATE sequence SET size = size + NEW.count, revision = revision + NEW.count,
      order_revision = revision + NEW.count, last_change_time = max(NEW.now, last_change_time + 1) + NEW.count - 1
    WHERE scope = NEW.scope AND element_type = NEW.element_type;
  END`,
];

interface Row {
  readonly scope: string;
  readonly elementType: string;
  /** The counters after it, as JSON. */
  readonly counters: string;
}

const keyOf = (of: { scope: string; elementType: string }) => `${of.scope}/${of.elementType}`;

/** What RETURNING is asked for is told when the trigger has run. A sequence that was never used is made. */
export const SQLITE_APPEND: AppendForm = {
  sql: `INSERT INTO append (scope, element_type, now, token, count, elements)
  SELECT k.value->>0, k.value->>1, k.value->>2, k.value->>3, k.value->>4, k.value->>5 FROM json_each(?1) k
  RETURNING scope, element_type AS "elementType", (SELECT json_array(s.size, s.revision, s.last_change_time)
    FROM main.sequence s WHERE ${isSequence('append')}) AS counters`,
  parameters: (appends, { now, token }) => [
    JSON.stringify(
      appends.map(({ scope, elementType, rows }) => [scope, elementType, now, token, rows.length, rows]),
    ),
  ],
  bases: (rows, appends) => {
    const counters = new Map((rows as readonly Row[]).map((row) => [keyOf(row), row.counters]));
    return appends.map((each): AppendBase => {
      const [size, revision, time] = JSON.parse(counters.get(keyOf(each))!) as [number, number, number];
      const count = each.rows.length;
      return { size: size - count, revision: revision - count, time: time - count };
    });
  },
};
