import type { DataSource } from 'typeorm';
import { type Engine, textFor } from '../engine.ts';
import { ElementEntity, type ElementRow } from '../entities/element.ts';
import { type ElementType, SequenceEntity, type SequenceRow } from '../entities/sequence.ts';
import { VersionEntity, type VersionRow } from '../entities/version.ts';
import { databaseError } from '../errors.ts';

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

/**
 * The reads, each one statement and so one snapshot, spread over the reading connections in turn.
 * All throw DatabaseError.
 */
export class Reads {
  readonly #sources: readonly DataSource[];
  readonly #engine: Engine;
  #next = 0;

  constructor(sources: readonly DataSource[], engine: Engine) {
    this.#sources = sources;
    this.#engine = engine;
  }

  /** The counters of a sequence; undefined where it was never used. */
  async getSequence(scope: string, elementType: ElementType): Promise<SequenceRead | undefined> {
    return await this.#read((source) =>
      source
        .createQueryBuilder(SequenceEntity, 's')
        .select('s.size', 'size')
        .addSelect('s.revision', 'revision')
        .addSelect('s.orderRevision', 'orderRevision')
        .where('s.scope = :scope AND s.elementType = :elementType', { scope, elementType })
        .getRawOne<SequenceRead>(),
    );
  }

  /** An element with its content; undefined where there is none. */
  async getElement(
    scope: string,
    elementType: ElementType,
    elementId: number,
  ): Promise<ElementRead | undefined> {
    return await this.#read((source) =>
      source
        .createQueryBuilder(ElementEntity, 'e')
        .innerJoin(SequenceEntity.options.name, 's', 's.id = e.sequenceId')
        .select('e.elementId', 'elementId')
        .addSelect('e.sequenceNumber', 'sequenceNumber')
        .addSelect('e.versionNumber', 'versionNumber')
        .addSelect('e.createTime', 'createTime')
        .addSelect('e.updateTime', 'updateTime')
        .addSelect('e.comment', 'comment')
        .addSelect('e.content', 'content')
        .where('s.scope = :scope AND s.elementType = :elementType', { scope, elementType })
        .andWhere('e.elementId = :elementId', { elementId })
        .getRawOne<ElementRead>(),
    );
  }

  /** A version with its content; null where the element has no such version, undefined where there is no element. */
  async getVersion(
    scope: string,
    elementType: ElementType,
    elementId: number,
    versionNumber: number,
  ): Promise<VersionRead | null | undefined> {
    const row = await this.#read((source) =>
      source
        .createQueryBuilder(ElementEntity, 'e')
        .innerJoin(SequenceEntity.options.name, 's', 's.id = e.sequenceId')
        .leftJoin(
          VersionEntity.options.name,
          'v',
          'v.sequenceId = e.sequenceId AND v.elementId = e.elementId AND v.versionNumber = :versionNumber',
        )
        .select('e.versionNumber', 'latest')
        .addSelect('v.versionNumber', 'replaced')
        .addSelect('COALESCE(v.sequenceNumber, e.sequenceNumber)', 'sequenceNumber')
        .addSelect('COALESCE(v.createTime, e.updateTime)', 'createTime')
        .addSelect('COALESCE(v.comment, e.comment)', 'comment')
        .addSelect('CASE WHEN v.versionNumber IS NULL THEN e.content ELSE v.content END', 'content')
        .where('s.scope = :scope AND s.elementType = :elementType', { scope, elementType })
        .andWhere('e.elementId = :elementId', { elementId })
        .setParameters({ versionNumber })
        .getRawOne<VersionRead & { latest: number; replaced: number | null }>(),
    );
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
    const rows = await this.#query<SequenceRead & ElementRead>(
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
    const rows = await this.#query<VersionRead & { lifeTime: number }>(
      includeContent ? LIST_VERSIONS_WITH_CONTENT : LIST_VERSIONS,
      [scope, elementType, elementId, from, limits.rows, limits.bytes],
    );
    const [head] = rows;
    if (head === undefined) return undefined;
    return { lifeTime: head.lifeTime, versions: rows.filter((row) => row.versionNumber !== null) };
  }

  /** Asks every reading connection for an answer. */
  async check(): Promise<void> {
    await Promise.all(
      this.#sources.map((source) =>
        source.query('SELECT id FROM sequence LIMIT 1').catch((error) => {
          throw databaseError(this.#engine, error);
        }),
      ),
    );
  }

  #query<Row>(sql: string, parameters: unknown[]): Promise<Row[]> {
    return this.#read((source) => source.query<Row[]>(textFor(this.#engine, sql), parameters));
  }

  async #read<T>(read: (source: DataSource) => Promise<T>): Promise<T> {
    const source = this.#sources[this.#next++ % this.#sources.length]!;
    try {
      return await read(source);
    } catch (error) {
      throw databaseError(this.#engine, error);
    }
  }
}

// The inner query measures without reading content (octet_length looks at the row's header alone), the window
// cuts the page, and only what is left is joined with its content: a page of 1,000 large rows stays small.
const listElements = (content: boolean) => `
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
  ORDER BY page.sequence_number`;
const LIST_ELEMENTS = listElements(false);
const LIST_ELEMENTS_WITH_CONTENT = listElements(true);

const listVersions = (content: boolean) => `
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
  ORDER BY page.version_number DESC`;
const LIST_VERSIONS = listVersions(false);
const LIST_VERSIONS_WITH_CONTENT = listVersions(true);
