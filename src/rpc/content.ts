import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { configure } from 'safe-stable-stringify';

/** Content in its canonical form may have this many bytes. */
export const MAX_CONTENT_BYTES = 262_144;
/**
 * Content may be nested this deep. A level of a Struct costs three levels of Protobuf messages, and C++, Java,
 * Python and protobuf-es refuse more than 100: what one client wrote, every other can read.
 */
export const MAX_CONTENT_DEPTH = 32;

const stringify = configure({ deterministic: true, bigint: false, circularValue: Error });
const canonical = new WeakMap<JsonObject, string | null>();

/**
 * The canonical JSON of content (keys sorted by UTF-16 code units, no white space, as RFC 8785 does); null where
 * the content breaks its rule. Kept for as long as the message lives, since validation and storage both need it.
 */
export function canonicalContent(content: JsonObject): string | null {
  let json = canonical.get(content);
  if (json === undefined) {
    json = isStorable(content, 1) ? (stringify(content) ?? null) : null;
    if (json !== null && Buffer.byteLength(json) > MAX_CONTENT_BYTES) json = null;
    canonical.set(content, json);
  }
  return json;
}

/** Whether every database and index takes a text: no NUL (PostgreSQL), no unpaired surrogate (Typesense). */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function isStorable(value: JsonValue, depth: number): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_CONTENT_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isStorable(item, depth + 1));
  return Object.entries(value).every(([key, item]) => isStorableText(key) && isStorable(item, depth + 1));
}
