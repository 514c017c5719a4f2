import { createHash } from 'node:crypto';

/**
 * Makes an opaque page token: where the next page starts, bound to the query that it belongs to.
 *
 * @param query everything of the query but the page size
 * @param cursor where to go on; safe integers
 */
export function encodePageToken(query: readonly unknown[], cursor: readonly number[]): string {
  return Buffer.from(JSON.stringify([digest(query), ...cursor])).toString('base64url');
}

/** The cursor of a page token; undefined where it is malformed or belongs to another query. */
export function decodePageToken(
  query: readonly unknown[],
  token: string,
  cursorLength: number,
): number[] | undefined {
  if (token.length > MAX_TOKEN_LENGTH || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== cursorLength + 1 || parts[0] !== digest(query))
    return undefined;
  const cursor: unknown[] = parts.slice(1);
  return cursor.every((part): part is number => Number.isSafeInteger(part) && (part as number) >= 0)
    ? cursor
    : undefined;
}

const MAX_TOKEN_LENGTH = 256;

function digest(query: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 11);
}
