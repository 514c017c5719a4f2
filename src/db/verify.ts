import type { DataSource } from 'typeorm';

/** A promise that a database breaks: which one, where, and how. */
export interface Violation {
  promise: 'dense' | 'versioned';
  message: string;
}

// Each query names the sequences or elements that break a rule; at most LIMIT rows each, so that a ruined
// database is reported, not recited.
const LIMIT = 100;

const CHECKS: readonly { promise: Violation['promise']; sql: string }[] = [
  {
    promise: 'dense',
    sql: `SELECT 'sequence ' || s.scope || '/' || s.element_type || ' says size ' || s.size || ' but has '
        || count(e.element_id) || ' elements with numbers ' || coalesce(min(e.sequence_number), 0) || '..'
        || coalesce(max(e.sequence_number), 0) || ', ' || count(DISTINCT e.sequence_number) || ' of them distinct'
        AS message
      FROM sequence s LEFT JOIN element e ON e.sequence_id = s.id
      GROUP BY s.id
      HAVING count(e.element_id) <> s.size OR count(DISTINCT e.sequence_number) <> s.size
        OR (s.size > 0 AND (min(e.sequence_number) <> 1 OR max(e.sequence_number) <> s.size))
      ORDER BY s.id LIMIT ${LIMIT}`,
  },
  {
    promise: 'dense',
    sql: `SELECT 'element ' || e.element_id || ' belongs to sequence id ' || e.sequence_id || ', which does not exist'
        AS message
      FROM element e LEFT JOIN sequence s ON s.id = e.sequence_id WHERE s.id IS NULL
      ORDER BY e.sequence_id, e.element_id LIMIT ${LIMIT}`,
  },
  {
    promise: 'dense',
    sql: `SELECT 'sequence ' || s.scope || '/' || s.element_type || ' says revision ' || s.revision
        || ' and order revision ' || s.order_revision || ' but its changes end at revision ' || max(c.revision)
        AS message
      FROM sequence s JOIN change c ON c.sequence_id = s.id
      GROUP BY s.id
      HAVING max(c.revision) <> s.revision OR s.order_revision > s.revision
      ORDER BY s.id LIMIT ${LIMIT}`,
  },
  {
    promise: 'versioned',
    sql: `SELECT 'element ' || s.scope || '/' || s.element_type || '/' || e.element_id || ' is at version '
        || e.version_number || ' but keeps ' || count(v.version_number) || ' replaced versions with numbers '
        || coalesce(min(v.version_number), 0) || '..' || coalesce(max(v.version_number), 0) AS message
      FROM element e JOIN sequence s ON s.id = e.sequence_id
        LEFT JOIN version v ON v.sequence_id = e.sequence_id AND v.element_id = e.element_id
      GROUP BY s.id, e.sequence_id, e.element_id, e.version_number
      HAVING count(v.version_number) <> e.version_number - 1
        OR (e.version_number > 1 AND (min(v.version_number) <> 1 OR max(v.version_number) <> e.version_number - 1))
      ORDER BY e.sequence_id, e.element_id LIMIT ${LIMIT}`,
  },
  {
    promise: 'versioned',
    sql: `SELECT 'version ' || v.version_number || ' of element ' || v.element_id || ' in sequence id '
        || v.sequence_id || ' has no element' AS message
      FROM version v LEFT JOIN element e ON e.sequence_id = v.sequence_id AND e.element_id = v.element_id
      WHERE e.element_id IS NULL
      ORDER BY v.sequence_id, v.element_id, v.version_number LIMIT ${LIMIT}`,
  },
];

/** What a verification has looked at and found. */
export interface Verification {
  sequences: number;
  elements: number;
  versions: number;
  /** Empty where promises 1 and 2 hold; at most 100 of each kind. */
  violations: Violation[];
}

/** Checks promises 1 (dense) and 2 (versioned) on a whole database, on one connection that only reads. */
export async function verify(source: DataSource): Promise<Verification> {
  // One snapshot for all its queries.
  return await source.transaction('SERIALIZABLE', async (manager) => {
    const [counts] = await manager.query<{ sequences: number; elements: number; versions: number }[]>(
      `SELECT (SELECT count(*) FROM sequence) AS sequences, (SELECT count(*) FROM element) AS elements,
        (SELECT count(*) FROM element) + (SELECT count(*) FROM version) AS versions`,
    );
    const violations: Violation[] = [];
    for (const { promise, sql } of CHECKS)
      for (const { message } of await manager.query<{ message: string }[]>(sql))
        violations.push({ promise, message });
    return { ...counts!, violations };
  });
}
