import { statement } from '../engine.ts';
import type { ElementRow } from '../entities/element.ts';
import type { ElementType, SequenceRow } from '../entities/sequence.ts';
import type { VersionRow } from '../entities/version.ts';
import type { ReadConnection } from '../transaction.ts';

/** An element as reads return it. */
export type ElementRead = Omit<ElementRow, 'sequenceId'>;

/** A version as reads return it. */
export type VersionRead = Omit<VersionRow, 'sequenceId' | 'elementId'>;

/** The counters of a sequence as reads return them. */
export type SequenceRead = Pick<SequenceRow, 'size' | 'revision' | 'orderRevision'>;

/** What a page of a list may hold. A page ends early at `maxBytes`, with at least one row. */
export interface PageLimits {
  rows: number;
  bytes: number;
}

/** The reads, each one statement and so one snapshot. All throw DatabaseError. */
export class Reads {
  readonly #connection: ReadConnection;

  constructor(connection: ReadConnection) {
    this.#connection = connection;
  }

  /** The counters of a sequence; undefined where it was never used. */
  async getSequence(scope: string, elementType: ElementType): Promise<SequenceRead | undefined> {
    const [row] = await this.#connection.query<SequenceRead>(GET_SEQUENCE, [scope, elementType]);
    return row;
  }

  /** An element with its content; undefined where there is none. */
  async getElement(
    scope: string,
    elementType: ElementType,
    elementId: number,
  ): Promise<ElementRead | undefined> {
    const [row] = await this.#connection.query<ElementRead>(GET_ELEMENT, [scope, elementType, elementId]);
    return row;
  }

  /** A version with its content; null where the element has no such version, undefined where there is no element. */
  async getVersion(
    scope: string,
    elementType: ElementType,
    elementId: number,
    versionNumber: number,
  ): Promise<VersionRead | null | undefined> {
    const [row] = await this.#connection.query<
      Omit<VersionRead, 'versionNumber'> & { latest: number; replaced: number | null }
    >(GET_VERSION, [scope, elementType, elementId, versionNumber]);
    if (row === undefined) return undefined;
    if (row.replaced === null && row.latest !== versionNumber) return null;
    const { sequenceNumber, createTime, comment, content } = row;
    return { versionNumber, sequenceNumber, createTime, comment, content };
  }

  /** Elements in order from number `from`, with the counters of their sequence; undefined where it was never used. */
  async listElements(
    scope: string,
    elementType: ElementType,
    from: number,
    limits: PageLimits,
    includeContent: boolean,
  ): Promise<(SequenceRead & { elements: ElementRead[] }) | undefined> {
    const rows = await this.#connection.query<SequenceRead & ElementRead>(
      includeContent ? LIST_ELEMENTS_WITH_CONTENT : LIST_ELEMENTS,
      [scope, elementType, from, limits.rows, limits.bytes],
    );
    const [head] = rows;
    if (head === undefined) return undefined;
    const { size, revision, orderRevision } = head;
    return { size, revision, orderRevision, elements: rows.filter((row) => row.elementId !== null) };
  }

  /**
   * Versions of an element from number `from` downward, with the time its life began; undefined where there is
   * no element.
   */
  async listVersions(
    scope: string,
    elementType: ElementType,
    elementId: number,
    from: number,
    limits: PageLimits,
    includeContent: boolean,
  ): Promise<{ lifeTime: number; versions: VersionRead[] } | undefined> {
    const rows = await this.#connection.query<VersionRead & { lifeTime: number }>(
      includeContent ? LIST_VERSIONS_WITH_CONTENT : LIST_VERSIONS,
      [scope, elementType, elementId, from, limits.rows, limits.bytes],
    );
    const [head] = rows;
    if (head === undefined) return undefined;
    return { lifeTime: head.lifeTime, versions: rows.filter((row) => row.versionNumber !== null) };
  }

  /** Asks the reading connections for an answer. */
  async check(): Promise<void> {
    await this.#connection.check(CHECK);
  }
}

const CHECK = statement(() => 'SELECT id FROM sequence LIMIT 1');

const GET_SEQUENCE = statement(
  () => `
  SELECT size, revision, order_revision AS "orderRevision" FROM sequence WHERE scope = ?1 AND element_type = ?2`,
);

const GET_ELEMENT = statement(
  () => `
  SELECT e.element_id AS "elementId", e.sequence_number AS "sequenceNumber", e.version_number AS "versionNumber",
    e.create_time AS "createTime", e.update_time AS "updateTime", e.comment, e.content
  FROM sequence s CROSS JOIN element e
  WHERE s.scope = ?1 AND s.element_type = ?2 AND e.sequence_id = s.id AND e.element_id = ?3`,
);

const GET_VERSION = statement(
  () => `
  SELECT e.version_number AS latest, v.version_number AS replaced,
    coalesce(v.sequence_number, e.sequence_number) AS "sequenceNumber",
    coalesce(v.create_time, e.update_time) AS "createTime", coalesce(v.comment, e.comment) AS comment,
    CASE WHEN v.version_number IS NULL THEN e.content ELSE v.content END AS content
  FROM sequence s CROSS JOIN element e
    LEFT JOIN version v ON v.sequence_id = e.sequence_id AND v.element_id = e.element_id AND v.version_number = ?4
  WHERE s.scope = ?1 AND s.element_type = ?2 AND e.sequence_id = s.id AND e.element_id = ?3`,
);

// The inner query measures without reading content (octet_length looks at the row's header alone), the window
// cuts the page, and only what is left is joined with its content: a page of 1,000 large rows stays small.
const listElements = (content: boolean) =>
  statement(
    () => `
  WITH seq AS MATERIALIZED (
    SELECT id, size, revision, order_revision FROM sequence WHERE scope = ?1 AND element_type = ?2),
  measured AS (
    SELECT sequence_id, sequence_number,
      100 + octet_length(comment)${content ? ' + coalesce(octet_length(content), 0)' : ''} AS bytes
    FROM element WHERE sequence_id = (SELECT id FROM seq) AND sequence_number >= CAST(?3 AS bigint)
    ORDER BY sequence_number LIMIT ?4),
  page AS (
    SELECT sequence_id, sequence_number, bytes, sum(bytes) OVER (ORDER BY sequence_number) AS total FROM measured)
  SELECT seq.size, seq.revision, seq.order_revision AS "orderRevision", e.element_id AS "elementId",
    e.sequence_number AS "sequenceNumber", e.version_number AS "versionNumber", e.create_time AS "createTime",
    e.update_time AS "updateTime", e.comment, ${content ? 'e.content' : 'NULL'} AS content
  FROM seq LEFT JOIN page ON page.total <= ?5 OR page.total = page.bytes
    LEFT JOIN element e ON e.sequence_id = page.sequence_id AND e.sequence_number = page.sequence_number
  ORDER BY page.sequence_number`,
  );
const LIST_ELEMENTS = listElements(false);
const LIST_ELEMENTS_WITH_CONTENT = listElements(true);

const listVersions = (content: boolean) =>
  statement(
    () => `
  WITH el AS MATERIALIZED (
    SELECT e.* FROM sequence s CROSS JOIN element e
    WHERE s.scope = ?1 AND s.element_type = ?2 AND e.sequence_id = s.id AND e.element_id = ?3),
  measured AS (
    SELECT version_number, 100 + octet_length(comment)${content ? ' + coalesce(octet_length(content), 0)' : ''} AS bytes
    FROM (
      SELECT version_number, comment, content FROM el WHERE version_number <= CAST(?4 AS bigint)
      UNION ALL
      SELECT * FROM (
        SELECT v.version_number, v.comment, v.content FROM version v
        WHERE v.sequence_id = (SELECT sequence_id FROM el) AND v.element_id = (SELECT element_id FROM el)
          AND v.version_number <= CAST(?4 AS bigint)
        ORDER BY v.version_number DESC LIMIT ?5) AS replaced) AS versions
    ORDER BY version_number DESC LIMIT ?5),
  page AS (
    SELECT version_number, bytes, sum(bytes) OVER (ORDER BY version_number DESC) AS total FROM measured)
  SELECT el.create_time AS "lifeTime", page.version_number AS "versionNumber",
    coalesce(v.sequence_number, el.sequence_number) AS "sequenceNumber",
    coalesce(v.create_time, el.update_time) AS "createTime", coalesce(v.comment, el.comment) AS comment,
    ${content ? 'CASE WHEN v.version_number IS NULL THEN el.content ELSE v.content END' : 'NULL'} AS content
  FROM el LEFT JOIN page ON page.total <= ?6 OR page.total = page.bytes
    LEFT JOIN version v ON v.sequence_id = el.sequence_id AND v.element_id = el.element_id
      AND v.version_number = page.version_number
  ORDER BY page.version_number DESC`,
  );
const LIST_VERSIONS = listVersions(false);
const LIST_VERSIONS_WITH_CONTENT = listVersions(true);
