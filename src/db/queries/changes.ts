import type { ChangeRow } from '../entities/change.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';

const FIND = `SELECT k.key AS "index", c.request_hash AS "requestHash", c.answer
  FROM json_each(?1) k CROSS JOIN sequence s CROSS JOIN change c
  WHERE s.scope = k.value->>0 AND s.element_type = k.value->>1
    AND c.sequence_id = s.id AND c.caller = k.value->>2 AND c.request_id = k.value->>3`;

/** What is remembered of a request: its hash, and its answer as JSON. */
export interface RememberedRequest {
  requestHash: string;
  answer: string;
}

/** Looks requests up by sequence, caller and request id; answers with the index of each one found. */
export function findRequests(
  tx: WriteTransaction,
  keys: readonly (readonly [scope: string, elementType: ElementType, caller: string, requestId: string])[],
): Promise<(RememberedRequest & { index: number })[]> {
  return tx.query(FIND, [JSON.stringify(keys)]);
}

const INSERT = `INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller, request_id,
    request_hash, answer, batch_token)
  SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, ?2
  FROM json_each(?1)`;

/** Inserts the change rows of a batch. */
export function insertChanges(
  tx: WriteTransaction,
  rows: readonly Omit<ChangeRow, 'batchToken'>[],
  batchToken: string,
): void {
  const values = rows.map((row) => [
    row.sequenceId,
    row.revision,
    row.changeTime,
    row.kind,
    row.comment,
    row.caller,
    row.requestId,
    row.requestHash,
    row.answer,
  ]);
  tx.execute(INSERT, [JSON.stringify(values), batchToken]);
}

const TOUCH = `WITH k AS MATERIALIZED (SELECT value->>0 AS scope, value->>1 AS element_type FROM json_each(?1))
  UPDATE sequence SET last_change_time = last_change_time + 1 FROM k
  WHERE sequence.scope = k.scope AND sequence.element_type = k.element_type RETURNING sequence.id`;
const FIND_BATCH = `SELECT 1 FROM json_each(?1) k
  WHERE ?2 = (SELECT c.batch_token FROM change c WHERE c.sequence_id = k.value
    ORDER BY c.revision DESC, c.change_time DESC LIMIT 1)
  LIMIT 1`;

/**
 * Whether a batch was committed: its token stands in the newest change row of a sequence that it wrote to, as long
 * as no other batch has written since. Locks the sequences by changing them, so that it waits for the end of whoever
 * still commits, and its own commit takes the place of what a failed one left behind.
 */
export async function findBatch(
  tx: WriteTransaction,
  sequences: readonly (readonly [scope: string, elementType: ElementType])[],
  batchToken: string,
): Promise<boolean> {
  const rows = await tx.query<{ id: number }>(TOUCH, [JSON.stringify(sequences)]);
  if (rows.length === 0) {
    // None of them exists, so the batch is not there; something has to be written all the same.
    tx.execute(`INSERT INTO migration_release (name, min_release) VALUES ('settled', '0.0.0')`);
    tx.execute(`DELETE FROM migration_release WHERE name = 'settled'`);
  }
  const found = await tx.query(FIND_BATCH, [JSON.stringify(rows.map(({ id }) => id)), batchToken]);
  return found.length > 0;
}

const OLD_IN_PAGE = `WITH page AS MATERIALIZED (
    SELECT s.id, s.revision, (SELECT min(c.revision) FROM change c WHERE c.sequence_id = s.id) AS first
    FROM sequence s WHERE s.id > ?1 ORDER BY s.id LIMIT ?2),
  old AS MATERIALIZED (
    SELECT c.sequence_id, c.revision, c.change_time FROM page p CROSS JOIN change c
    WHERE c.sequence_id = p.id AND c.revision >= p.first AND c.revision < min(p.revision, p.first + ?3)
      AND c.change_time < json(?4)->>0)
  DELETE FROM change WHERE (sequence_id, revision, change_time) IN (SELECT * FROM old) RETURNING 1`;
const LAST_OF_PAGE = 'SELECT max(id) AS id FROM (SELECT id FROM sequence WHERE id > ?1 ORDER BY id LIMIT ?2)';

/** How much of the change rows one transaction looks at. */
export interface ChangePage {
  /** The id of the sequence before the first. */
  readonly after: number;
  readonly sequences: number;
  /** Of each sequence, from its oldest change on. */
  readonly revisions: number;
}

/**
 * Deletes change rows from before a time (microseconds) in a page of sequences. Those of a sequence's newest revision
 * stay: they say where it is, and are the proof of its last commit.
 *
 * @returns how many went, and the id of the page's last sequence, null behind the last one
 */
export async function deleteOldChanges(
  tx: WriteTransaction,
  { after, sequences, revisions }: ChangePage,
  before: number,
): Promise<{ deleted: number; last: number | null }> {
  const [page] = await tx.query<{ id: number | null }>(LAST_OF_PAGE, [after, sequences]);
  if (page!.id === null) return { deleted: 0, last: null };
  const gone = await tx.query(OLD_IN_PAGE, [after, sequences, revisions, JSON.stringify([before])]);
  return { deleted: gone.length, last: page!.id };
}
