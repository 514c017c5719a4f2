import type { ElementRead, PageLimits, Reads, SequenceRead, VersionRead } from '../db/queries/reads.ts';
import { callerError } from './caller-error.ts';
import { ElementNotFoundError, InvalidFieldError, VersionNotFoundError } from './errors.ts';
import { type SequenceKey, sequenceKeyString } from './model.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';

export type { ElementRead, SequenceRead, VersionRead } from '../db/queries/reads.ts';

/** Elements in a page where the caller names no size. */
export const DEFAULT_PAGE_SIZE = 50;
/** Elements in a page at most; a caller that asks for more gets this many. */
export const MAX_PAGE_SIZE = 1_000;
/** Comments and stored content in a page at most, beyond its first row; bytes. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** The rule of page_token, as the contract words it. */
export const PAGE_TOKEN_RULE = 'must be empty or the next_page_token of a page of the same query';

/** How a caller asks for a page. */
export interface PageQuery {
  /** 0 for the default. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  readonly includeContent: boolean;
}

/** The reads: each is one statement, so one snapshot. All throw DomainError. */
export class Reader {
  readonly #reads: Reads;

  constructor(reads: Reads) {
    this.#reads = reads;
  }

  /** The counters of a sequence; zeros where it was never used. */
  async getSequence(sequence: SequenceKey): Promise<SequenceRead> {
    const read = await guarded(this.#reads.getSequence(sequence.scope, sequence.elementType));
    return read ?? UNUSED;
  }

  /** @throws ElementNotFoundError */
  async getElement(sequence: SequenceKey, elementId: number): Promise<ElementRead> {
    const read = await guarded(this.#reads.getElement(sequence.scope, sequence.elementType, elementId));
    if (read === undefined) throw new ElementNotFoundError(sequenceKeyString(sequence), [elementId]);
    return read;
  }

  /** @throws ElementNotFoundError, VersionNotFoundError */
  async getVersion(sequence: SequenceKey, elementId: number, versionNumber: number): Promise<VersionRead> {
    const { scope, elementType } = sequence;
    const read = await guarded(this.#reads.getVersion(scope, elementType, elementId, versionNumber));
    if (read === undefined) throw new ElementNotFoundError(sequenceKeyString(sequence), [elementId]);
    if (read === null) throw new VersionNotFoundError(elementId, versionNumber);
    return read;
  }

  /**
   * A page of the elements in order from `startSequenceNumber`.
   * @throws InvalidFieldError where the page token is not one of this query
   */
  async listElements(
    sequence: SequenceKey,
    startSequenceNumber: number,
    page: PageQuery,
  ): Promise<SequenceRead & { elements: ElementRead[]; nextPageToken: string }> {
    const { scope, elementType } = sequence;
    const query = ['ListElements', scope, elementType, startSequenceNumber, page.includeContent];
    const [from] = cursorOf(query, page.pageToken, 1) ?? [Math.max(1, startSequenceNumber)];
    const read = await guarded(
      this.#reads.listElements(scope, elementType, from!, limitsOf(page), page.includeContent),
    );
    if (read === undefined) return { ...UNUSED, elements: [], nextPageToken: '' };
    const last = read.elements.at(-1)?.sequenceNumber ?? read.size;
    return { ...read, nextPageToken: last < read.size ? encodePageToken(query, [last + 1]) : '' };
  }

  /**
   * A page of the versions of an element, newest first.
   * @throws ElementNotFoundError; InvalidFieldError where the page token is not one of this query, or of
   * another life of the element
   */
  async listVersions(
    sequence: SequenceKey,
    elementId: number,
    page: PageQuery,
  ): Promise<{ versions: VersionRead[]; nextPageToken: string }> {
    const { scope, elementType } = sequence;
    const query = ['ListVersions', scope, elementType, elementId, page.includeContent];
    const cursor = cursorOf(query, page.pageToken, 2);
    const from = cursor?.[0] ?? Number.MAX_SAFE_INTEGER;
    const read = await guarded(
      this.#reads.listVersions(scope, elementType, elementId, from, limitsOf(page), page.includeContent),
    );
    if (read === undefined) throw new ElementNotFoundError(sequenceKeyString(sequence), [elementId]);
    if (cursor !== undefined && cursor[1] !== read.lifeTime) throw pageTokenError();
    const last = read.versions.at(-1)?.versionNumber ?? 1;
    return {
      versions: read.versions,
      nextPageToken: last > 1 ? encodePageToken(query, [last - 1, read.lifeTime]) : '',
    };
  }
}

const UNUSED: SequenceRead = { size: 0, revision: 0, orderRevision: 0 };

function limitsOf({ pageSize }: PageQuery): PageLimits {
  return {
    rows: Math.min(pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize, MAX_PAGE_SIZE),
    bytes: MAX_PAGE_BYTES,
  };
}

function cursorOf(query: readonly unknown[], token: string, length: number): number[] | undefined {
  if (token === '') return undefined;
  const cursor = decodePageToken(query, token, length);
  if (cursor === undefined) throw pageTokenError();
  return cursor;
}

function pageTokenError(): InvalidFieldError {
  return new InvalidFieldError([{ field: 'page_token', description: PAGE_TOKEN_RULE }]);
}

async function guarded<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw callerError(error);
  }
}
