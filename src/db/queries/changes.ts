import { statement } from '../engine.ts';
import type { ChangeRow } from '../entities/change.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';

const FIND = statement(
  ({
    each,
    index,
    item,
    probe,
  }) => `SELECT ${index('k')} AS "index", c.request_hash AS "requestHash", c.answer
  FROM ${each('?1')}
    ${probe('sequence', 's', `s.scope = ${item(0, 'text')} AND s.element_type = ${item(1, 'text')}`)}
    ${probe('change', 'c', `c.sequence_id = s.id AND c.caller = ${item(2, 'text')} AND c.request_id = ${item(3, 'text')}`)}`,
);

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

const INSERT = statement(
  ({
    each,
    item,
  }) => `INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller, request_id,
    request_hash, answer, batch_token)
  SELECT ${item(0, 'integer')}, ${item(1, 'bigint')}, ${item(2, 'bigint')}, ${item(3, 'text')}, ${item(4, 'text')},
    ${item(5, 'text')}, ${item(6, 'text')}, ${item(7, 'text')}, ${item(8, 'text')}, ?2
  FROM ${each('?1')}`,
);

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

const CREATE_MISSING = statement(
  ({
    each,
    item,
  }) => `INSERT INTO sequence (scope, element_type, size, revision, order_revision, last_change_time)
  SELECT ${item(0, 'text')}, ${item(1, 'text')}, 0, 0, 0, 0 FROM ${each('?1')} ORDER BY 1, 2
  ON CONFLICT (scope, element_type) DO NOTHING`,
);
const LOCK_IN_ORDER = statement(
  ({ each, item, lock }) => `SELECT s.id FROM ${each('?1')} CROSS JOIN sequence s
  WHERE s.scope = ${item(0, 'text')} AND s.element_type = ${item(1, 'text')} ORDER BY s.id ${lock('s')}`,
);
const TOUCH = statement(
  ({ each, item, matching }) => `WITH n AS MATERIALIZED (
    SELECT ${item(0, 'text')} AS scope, ${item(1, 'text')} AS element_type FROM ${each('?1')})
  UPDATE sequence SET last_change_time = last_change_time + 1
  ${matching('sequence', 'n', (s) => `${s}.scope = n.scope AND ${s}.element_type = n.element_type`)}`,
);
const FIND_BATCH = statement(
  ({ each, item, probe }) => `SELECT 1 FROM ${each('?1')}
    ${probe('sequence', 's', `s.scope = ${item(0, 'text')} AND s.element_type = ${item(1, 'text')}`)}
    ${probe('change', 'c', `c.sequence_id = s.id AND c.revision >= ${item(2, 'bigint')} AND c.batch_token = ?2`)}
  LIMIT 1`,
);

/**
 * Locks sequences to look for what a batch has written to them: waits for the end of whoever still commits, and changes
 * them, so that the look commits something. One that does not exist may be about to: it is made here, which waits for
 * that too.
 */
export async function lockForLook(
  tx: WriteTransaction,
  sequences: readonly (readonly [scope: string, elementType: ElementType, revision: number])[],
): Promise<void> {
  const keys = JSON.stringify(sequences);
  tx.execute(CREATE_MISSING, [keys]);
  // In one order, as two looks might meet.
  await tx.query(LOCK_IN_ORDER, [keys]);
  tx.execute(TOUCH, [keys]);
}

/**
 * Whether a batch was committed: its token stands in a change row of a sequence that it wrote to.
 *
 * @param sequences those that it wrote to, locked, each with the lowest revision that it can have given it
 */
export async function findBatch(
  tx: WriteTransaction,
  sequences: readonly (readonly [scope: string, elementType: ElementType, revision: number])[],
  batchToken: string,
): Promise<boolean> {
  const found = await tx.query(FIND_BATCH, [JSON.stringify(sequences), batchToken]);
  return found.length > 0;
}

const OLD_IN_PAGE = statement(
  ({ deleteMatching, json, least, probe }) => `WITH page AS MATERIALIZED (
    SELECT s.id, s.revision, (SELECT min(c.revision) FROM change c WHERE c.sequence_id = s.id) AS first
    FROM sequence s WHERE s.id > ?1 ORDER BY s.id LIMIT ?2),
  old AS MATERIALIZED (
    SELECT c.sequence_id, c.revision, c.change_time FROM page p
    ${probe(
      'change',
      'c',
      `c.sequence_id = p.id AND c.revision >= p.first AND c.revision < ${least('p.revision', 'p.first + ?3')}
      AND c.change_time < ${json('?4', 0, 'bigint')}`,
    )})
  ${deleteMatching('change', 'old', ['sequence_id', 'revision', 'change_time'])} RETURNING 1`,
);
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
