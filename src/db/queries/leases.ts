import { type Statement, statement } from '../engine.ts';
import { PARKED } from '../entities/dirty-document.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';
import type { DocumentKey, DocumentState, DueDocument, DueLimits } from './sync.ts';

// Leases are kept in the rows of an engine that many processes write. Two columns tell all there is to know of a send:
//
//   lease_owner  lease_expire_time
//   null         null               nobody sends it, and no request is on its way
//   a token      in the future      the holder of the token may send it, until then
//   a token      in the past        a request that was sent until then may still be applied (for SYNC_SETTLE)
//
// All times are the database's, since the clocks of processes differ. A writer that marks a document leaves both alone.

/** Now, by the clock of the database, microseconds since the epoch. */
const NOW = '(extract(epoch FROM statement_timestamp()) * 1000000)::bigint';
const only = (text: Statement): string => text.postgres;

/** A document that was taken, in the words of its row. */
export interface LeasedDocument extends DueDocument {
  /** How long ago a request of somebody else has ended that may still be applied, microseconds; null: there is none. */
  readonly doubtAge: number | null;
}

/** What a claim of one priority found. */
export interface LeasedPage {
  readonly documents: LeasedDocument[];
  readonly more: boolean;
  /** Of the documents to be sent: that of the newest resync that was begun before the claim. */
  readonly generation: number;
  /** What documents are to be sent to; null where nobody has said. */
  readonly identity: string | null;
  /** By the clock of the database, microseconds since the epoch. */
  readonly now: number;
}

// Rows that another transaction holds are passed over, so that nobody is waited for. Only `d` is locked, and read as it
// is now; the rest is read as it was when the statement began, so that what is to be sent is read by a later one.
const TAKE = only(
  statement(
    ({ probe, leftProbe }) => `WITH due AS MATERIALIZED (
    SELECT d.sequence_id, d.element_id, d.version_number, d.next_try_time, d.mark, d.wanted_revision, d.since_time,
      d.attempts, d.lease_expire_time, s.scope, s.element_type,
      octet_length(CASE WHEN v.version_number IS NULL THEN e.content ELSE v.content END) AS length
    FROM dirty_document d ${probe('sequence', 's', 's.id = d.sequence_id')}
      ${leftProbe('element', 'e', 'e.sequence_id = d.sequence_id AND e.element_id = d.element_id')}
      ${leftProbe(
        'version',
        'v',
        `v.sequence_id = d.sequence_id AND v.element_id = d.element_id
        AND v.version_number = d.version_number AND d.version_number < e.version_number`,
      )}
    WHERE d.priority = ?1 AND d.next_try_time <= ${NOW}
      AND (d.lease_expire_time IS NULL OR d.lease_expire_time <= ${NOW})
      AND NOT EXISTS (SELECT 1 FROM dirty_document n WHERE d.version_number < e.version_number
        AND n.sequence_id = d.sequence_id AND n.element_id = d.element_id AND n.version_number = e.version_number)
    ORDER BY d.next_try_time, d.sequence_id, d.element_id, d.version_number LIMIT ?2
    FOR UPDATE OF d SKIP LOCKED),
  page AS MATERIALIZED (
    SELECT *, sum(coalesce(length, 0)) OVER w AS total, row_number() OVER w AS place FROM due
    WINDOW w AS (ORDER BY next_try_time, sequence_id, element_id, version_number ROWS UNBOUNDED PRECEDING)),
  taken AS (
    UPDATE dirty_document d SET lease_owner = ?4, lease_expire_time = ${NOW} + ?5::bigint FROM page p
    WHERE d.sequence_id = p.sequence_id AND d.element_id = p.element_id AND d.version_number = p.version_number
      AND (p.total <= ?3::bigint OR p.place = 1)
    RETURNING p.place, json_build_array(p.sequence_id, p.element_id, p.version_number, p.mark, p.wanted_revision,
      p.since_time, p.attempts, p.scope, p.element_type, ${NOW} - p.lease_expire_time)::text AS row)
  SELECT (SELECT count(*) FROM due)::integer AS found, string_agg(row, ',' ORDER BY place) AS rows,
    coalesce((SELECT generation FROM sync_target), 1) AS generation, (SELECT identity FROM sync_target) AS identity,
    ${NOW} AS now
  FROM taken`,
  ),
);

interface Answer {
  found: number;
  rows: string | null;
  generation: number;
  identity: string | null;
  now: number;
}
type TakenRow = readonly [
  sequenceId: number,
  elementId: number,
  versionNumber: number,
  mark: string,
  wantedRevision: number,
  sinceTime: number,
  attempts: number,
  scope: string,
  elementType: ElementType,
  doubtAge: number | null,
];

/**
 * Takes documents of a priority that are due and that nobody holds, for `leaseMicros` from now: the longest due first.
 * The rows are locked until the transaction ends, which is to be at once.
 */
export async function takeDue(
  tx: WriteTransaction,
  priority: 0 | 1,
  limits: DueLimits,
  lease: { readonly token: string; readonly micros: number },
): Promise<LeasedPage> {
  const [answer] = await tx.query<Answer>(TAKE, [
    priority,
    limits.documents,
    limits.bytes,
    lease.token,
    lease.micros,
  ]);
  const rows = JSON.parse(`[${answer!.rows ?? ''}]`) as TakenRow[];
  return {
    documents: rows.map((row) => ({
      sequenceId: row[0],
      elementId: row[1],
      versionNumber: row[2],
      mark: row[3],
      wantedRevision: row[4],
      sinceTime: row[5],
      attempts: row[6],
      scope: row[7],
      elementType: row[8],
      doubtAge: row[9],
    })),
    more: answer!.found === limits.documents || rows.length < answer!.found,
    generation: answer!.generation,
    identity: answer!.identity,
    now: answer!.now,
  };
}

const KEYS = `WITH k AS MATERIALIZED (
    SELECT (k.value->>0)::integer AS sequence_id, (k.value->>1)::bigint AS element_id,
      (k.value->>2)::integer AS version_number, k.key FROM jsonb_array_elements(?1::jsonb) WITH ORDINALITY AS k(value, key))`;
const LOAD = only(
  statement(
    ({ leftProbe, joined }) => `${KEYS}
  SELECT ${joined(
    `CASE WHEN n.mark IS NOT NULL THEN '0' WHEN e.version_number IS NULL
      OR (v.version_number IS NULL AND e.version_number <> k.version_number) THEN 'null'
      ELSE json_build_array(v.version_number IS NULL, coalesce(v.sequence_number, e.sequence_number),
        coalesce(v.comment, e.comment), coalesce(v.create_time, e.update_time),
        CASE WHEN v.version_number IS NULL THEN e.content ELSE v.content END)::text END`,
    'k.key',
  )} AS rows
  FROM k
    ${leftProbe('element', 'e', 'e.sequence_id = k.sequence_id AND e.element_id = k.element_id')}
    ${leftProbe(
      'version',
      'v',
      `v.sequence_id = k.sequence_id AND v.element_id = k.element_id
      AND v.version_number = k.version_number AND k.version_number < e.version_number`,
    )}
    ${leftProbe(
      'dirty_document',
      'n',
      `k.version_number < e.version_number AND n.sequence_id = k.sequence_id AND n.element_id = k.element_id
      AND n.version_number = e.version_number`,
    )}`,
  ),
);

type StateRow = readonly [
  isLatest: boolean,
  sequenceNumber: number,
  comment: string,
  createTime: number,
  content: string | null,
];

/**
 * What the database implies for documents now, in their order: null for what is not to be in the index, `behind` for
 * a replaced version's whose latest one's has become dirty, which goes first.
 */
export async function loadStates(
  tx: WriteTransaction,
  documents: readonly DocumentKey[],
): Promise<(DocumentState | null | 'behind')[]> {
  const [answer] = await tx.query<{ rows: string | null }>(LOAD, [JSON.stringify(documents.map(keyOf))]);
  const rows = JSON.parse(`[${answer!.rows ?? ''}]`) as (StateRow | null | 0)[];
  return rows.map((row) => {
    if (row === null) return null;
    if (row === 0) return 'behind';
    const [isLatest, sequenceNumber, comment, createTime, content] = row;
    return { isLatest, sequenceNumber, comment, createTime, content };
  });
}

/** A document and the lease by which it was taken. */
export interface Leased extends DocumentKey {
  readonly token: string;
}

/** What is to become of a document that was not acknowledged, or not for good. */
export interface Unsettled extends Leased {
  /** How long ago its last request ended that may still be applied, microseconds, as far as is known; null: none. */
  readonly doubtAge: number | null;
  /** Where it was answered: when to try again, unless it has changed. */
  readonly answer?: {
    readonly mark: string;
    /** Microseconds from now; null: not until an operator or a new state says otherwise. */
    readonly wait: number | null;
    readonly attempts: number;
    readonly error: string | null;
  };
}

// Each hits only rows whose lease is still the one that the document was taken by, whoever has taken it since.
const ROW =
  'd.sequence_id = k.sequence_id AND d.element_id = k.element_id AND d.version_number = k.version_number';
const HELD = `CROSS JOIN LATERAL (SELECT 1 FROM dirty_document d WHERE ${ROW} AND d.lease_owner = k.token
    FOR UPDATE SKIP LOCKED) l`;
const CLEAR = `WITH k AS MATERIALIZED (
    SELECT (k.value->>0)::integer AS sequence_id, (k.value->>1)::bigint AS element_id,
      (k.value->>2)::integer AS version_number, k.value->>3 AS token, k.value->>4 AS mark,
      (k.value->>5)::bigint AS revision
    FROM jsonb_array_elements(?1::jsonb) AS k(value)),
  held AS MATERIALIZED (SELECT k.* FROM k ${HELD}),
  gone AS (
    DELETE FROM dirty_document d USING held k WHERE ${ROW} AND d.mark = k.mark RETURNING 1),
  kept AS (
    UPDATE dirty_document d SET since_revision = k.revision, since_time = ?2::bigint, lease_owner = NULL,
      lease_expire_time = NULL
    FROM held k WHERE ${ROW} AND d.mark <> k.mark RETURNING 1)
  SELECT ((SELECT count(*) FROM gone) + (SELECT count(*) FROM kept))::integer AS n`;
const LEAVE = `WITH k AS MATERIALIZED (
    SELECT (k.value->>0)::integer AS sequence_id, (k.value->>1)::bigint AS element_id,
      (k.value->>2)::integer AS version_number, k.value->>3 AS token, (k.value->>4)::bigint AS age,
      k.value->>5 AS mark, (k.value->>6)::bigint AS wait, (k.value->>7)::integer AS attempts, k.value->>8 AS error
    FROM jsonb_array_elements(?1::jsonb) AS k(value)),
  held AS MATERIALIZED (SELECT k.* FROM k ${HELD}),
  left_ AS (
    UPDATE dirty_document d SET
      lease_owner = CASE WHEN k.age IS NULL THEN NULL ELSE d.lease_owner END,
      lease_expire_time = CASE WHEN k.age IS NULL THEN NULL ELSE ${NOW} - k.age END,
      next_try_time = CASE WHEN d.mark <> k.mark OR k.mark IS NULL THEN d.next_try_time
        WHEN k.wait IS NULL THEN ${PARKED} ELSE ${NOW} + k.wait END,
      attempts = CASE WHEN d.mark = k.mark THEN k.attempts ELSE d.attempts END,
      error = CASE WHEN d.mark = k.mark THEN k.error ELSE d.error END
    FROM held k WHERE ${ROW} RETURNING 1)
  SELECT (SELECT count(*) FROM left_)::integer AS n`;

/**
 * Clears documents that the index has acknowledged, with their leases; one that changed meanwhile stays, since its
 * newer revision, and is free. Returns how many of them are done with: not those whose lease was lost, or whose row
 * another transaction is changing.
 */
export async function clearLeased(
  tx: WriteTransaction,
  documents: readonly (Leased & Pick<DueDocument, 'mark' | 'wantedRevision'>)[],
  now: number,
): Promise<number> {
  if (documents.length === 0) return 0;
  const rows = documents.map((one) => [...keyOf(one), one.token, one.mark, one.wantedRevision + 1]);
  const [answer] = await tx.query<{ n: number }>(CLEAR, [JSON.stringify(rows.sort(byKey)), now]);
  return answer!.n;
}

/** Ends leases of documents that stay dirty; returns how many, as {@link clearLeased}. */
export async function leaveLeased(tx: WriteTransaction, documents: readonly Unsettled[]): Promise<number> {
  if (documents.length === 0) return 0;
  const rows = documents.map((one) => {
    const { mark = null, wait = null, attempts = null, error = null } = one.answer ?? {};
    return [
      ...keyOf(one),
      one.token,
      one.doubtAge && Math.floor(one.doubtAge),
      mark,
      wait && Math.ceil(wait),
      attempts,
      error,
    ];
  });
  const [answer] = await tx.query<{ n: number }>(LEAVE, [JSON.stringify(rows.sort(byKey))]);
  return answer!.n;
}

// A thousand rows that are due are enough to look at: where there are more, something is due anyway.
const NEXT = `SELECT min(next) - ${NOW} AS wait FROM (
    (SELECT next_try_time AS next FROM dirty_document WHERE priority = 0 AND next_try_time > ${NOW}
      AND next_try_time < ${PARKED} ORDER BY next_try_time LIMIT 1)
    UNION ALL
    (SELECT next_try_time FROM dirty_document WHERE priority = 1 AND next_try_time > ${NOW}
      AND next_try_time < ${PARKED} ORDER BY next_try_time LIMIT 1)
    UNION ALL
    SELECT lease_expire_time FROM (SELECT lease_expire_time FROM dirty_document
      WHERE priority IN (0, 1) AND next_try_time <= ${NOW} LIMIT 1000) AS due WHERE lease_expire_time > ${NOW}) AS times`;

/** In how many microseconds a document may become due, or free; undefined where none will by itself. */
export async function nextFree(tx: WriteTransaction): Promise<number | undefined> {
  const [row] = await tx.query<{ wait: number | null }>(NEXT);
  return row?.wait ?? undefined;
}

const HASTEN = `WITH late AS MATERIALIZED (
    SELECT ctid FROM dirty_document WHERE priority IN (0, 1) AND next_try_time > ${NOW} + ?1::bigint
      AND next_try_time < ${PARKED} FOR UPDATE SKIP LOCKED)
  UPDATE dirty_document d SET next_try_time = ${NOW} FROM late WHERE d.ctid = late.ctid`;
const SHORTEN = `WITH late AS MATERIALIZED (
    SELECT ctid FROM dirty_document WHERE lease_expire_time > ${NOW} + ?1::bigint FOR UPDATE SKIP LOCKED)
  UPDATE dirty_document d SET lease_expire_time = ${NOW} + ?1::bigint FROM late WHERE d.ctid = late.ctid`;

/**
 * Makes documents due whose next try is further away than any wait, and ends leases that are longer than any: the
 * database's clock has been put back since, or another server has taken its place.
 */
export function hastenLeased(tx: WriteTransaction, longestWait: number, longestLease: number): void {
  tx.execute(HASTEN, [longestWait]);
  tx.execute(SHORTEN, [longestLease]);
}

const keyOf = (key: DocumentKey) => [key.sequenceId, key.elementId, key.versionNumber] as const;

/** In the order in which writers lock rows. */
function byKey(a: readonly unknown[], b: readonly unknown[]): number {
  const key = [0, 1, 2].find((index) => a[index] !== b[index]) ?? 0;
  return (a[key] as number) - (b[key] as number);
}
