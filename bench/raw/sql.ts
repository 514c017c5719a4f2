/** The service's statements on SQLite, as a program without the service would run them. */

export const INSERT_ELEMENTS = `INSERT INTO element (sequence_id, element_id, sequence_number, version_number,
    create_time, update_time, comment, content)
  SELECT value->>0, value->>1, value->>2, 1, value->>3, value->>3, '', NULL FROM json_each(?1)`;

export const INSERT_CHANGES = `INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller,
    batch_token)
  SELECT value->>0, value->>1, value->>2, ?2, '', '', ?3 FROM json_each(?1)`;

export const MARK = `INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision,
    wanted_revision, since_time, priority, attempts, next_try_time)
  SELECT value->>0, value->>1, 1, ?2, value->>2, value->>2, value->>3, 0, 0, 0 FROM json_each(?1) WHERE true
  ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
    wanted_revision = excluded.wanted_revision, priority = min(priority, excluded.priority), attempts = 0,
    next_try_time = 0, error = NULL`;

export const UPDATE_SEQUENCE = `UPDATE sequence SET size = ?2, revision = ?3, order_revision = ?3,
    last_change_time = json(?4)->>0 WHERE id = ?1`;

export const NEGATE = `WITH n AS MATERIALIZED (SELECT value->>0 AS id, value->>1 AS number FROM json_each(?2))
  UPDATE element SET sequence_number = -n.number FROM n WHERE element.sequence_id = ?1 AND element.element_id = n.id`;

export const FLIP =
  'UPDATE element SET sequence_number = -sequence_number WHERE sequence_id = ?1 AND sequence_number < 0';
