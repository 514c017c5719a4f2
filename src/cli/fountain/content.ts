import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import {
  type Body,
  type Part,
  type ScriptBody,
  type TitleEntry,
  TYPE_OF_KIND,
  type TypeName,
} from './model.ts';

/** The service takes content of this many bytes. */
export const MAX_CONTENT_BYTES = 262_144;

/** The place of a block: the section element that it stands under, and the line within that, from 0. */
export interface Place {
  /** 0 before the first section. */
  readonly scene: number;
  readonly line: number;
}

/** An element, as a screenplay uses it. */
export interface StoredElement {
  readonly id: number;
  readonly version: number;
  readonly content: JsonObject;
}

/** What an element of a block holds. */
export interface StoredBlock extends Place {
  readonly body: Body;
}

const SCRIPT_FIELDS = ['kind', 'text', 'scene', 'line', 'titlePage', 'source'];
const CHARACTER_FIELDS = ['kind', 'text', 'character'];
const BLOCK_FIELDS = [
  ...['kind', 'text', 'scene', 'line', 'character', 'cue', 'dual', 'parts', 'depth', 'number'],
  ...['source', 'blank'],
];

/** The content of the element of a block. */
export function blockContent({ body, scene, line }: StoredBlock): JsonObject {
  const { parts, ...rest } = body;
  const content = { ...rest, scene, line };
  return parts === undefined
    ? content
    : { ...content, parts: parts.map(({ kind, text }) => ({ kind, text })) };
}

/** The content of the script. */
export function scriptContent({ titlePage, ...rest }: ScriptBody): JsonObject {
  const content = { ...rest, scene: 0, line: 0 };
  if (titlePage === undefined) return content;
  return { ...content, titlePage: titlePage.map(({ key, text }) => ({ key, text })) };
}

/** The content of a character. */
export function characterContent(name: string): JsonObject {
  return { kind: 'character', text: name, character: name };
}

/** The block that an element of this type holds; undefined where no import has made it. */
export function blockOf(type: TypeName, content: JsonObject): StoredBlock | undefined {
  const { scene, line, ...rest } = only(BLOCK_FIELDS, content);
  const kind = content['kind'];
  const fits =
    typeof kind === 'string' &&
    Object.hasOwn(TYPE_OF_KIND, kind) &&
    TYPE_OF_KIND[kind as keyof typeof TYPE_OF_KIND] === type &&
    typeof content['text'] === 'string' &&
    isPlace(scene, Number.isSafeInteger) &&
    isPlace(line, Number.isFinite) &&
    ['character', 'cue', 'dual', 'number', 'source'].every((name) => isUnset(rest[name], 'string')) &&
    (rest['depth'] === undefined || isPlace(rest['depth'], (depth) => depth >= 1 && depth <= 10_000)) &&
    (rest['blank'] === undefined || isPlace(rest['blank'], Number.isSafeInteger)) &&
    (rest['parts'] === undefined || areTexts(rest['parts'], 'kind'));
  // Every field that the type names has been looked at.
  return fits ? { body: rest as unknown as Body, scene: Number(scene), line: Number(line) } : undefined;
}

/** The script that an element holds; undefined where no import has made it. */
export function scriptOf(content: JsonObject): ScriptBody | undefined {
  const { kind, text, titlePage, source } = content;
  const fits =
    kind === 'script' &&
    typeof text === 'string' &&
    isUnset(source, 'string') &&
    (titlePage === undefined || areTexts(titlePage, 'key'));
  if (!fits) return undefined;
  return {
    kind,
    text,
    ...(titlePage !== undefined && { titlePage: titlePage as unknown as readonly TitleEntry[] }),
    ...(typeof source === 'string' && { source }),
  };
}

/** The name that an element of a character holds; undefined where no import has made it. */
export function characterOf(content: JsonObject): string | undefined {
  return content['kind'] === 'character' && typeof content['text'] === 'string' ? content['text'] : undefined;
}

/** Whether two contents hold the same; fields that are not an import's own do not count. */
export function sameContent(type: TypeName, one: JsonObject, other: JsonObject): boolean {
  return canonical(own(type, one)) === canonical(own(type, other));
}

/** The next content of an element: a new one, and those of its fields that are not an import's own. */
export function nextContent(type: TypeName, before: JsonObject, next: JsonObject): JsonObject {
  const names = new Set(fieldsOf(type));
  return { ...Object.fromEntries(Object.entries(before).filter(([name]) => !names.has(name))), ...next };
}

/** The size of content as the service counts it. */
export function contentBytes(content: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(content));
}

/** What a body says and how it is written, as one string. */
export function bodyKey(body: Body): string {
  return canonical(body as unknown as JsonObject);
}

function fieldsOf(type: TypeName): string[] {
  if (type === 'script') return SCRIPT_FIELDS;
  return type === 'character' ? CHARACTER_FIELDS : BLOCK_FIELDS;
}

function own(type: TypeName, content: JsonObject): JsonObject {
  return only(fieldsOf(type), content);
}

function only(names: readonly string[], content: JsonObject): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => (content[name] === undefined ? [] : [[name, content[name]]])),
  );
}

/** JSON with the keys of objects in order; the service does not keep theirs. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_, inner: JsonValue) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function isPlace(value: JsonValue | undefined, holds: (value: number) => boolean): boolean {
  return typeof value === 'number' && value >= 0 && holds(value);
}

function isUnset(value: JsonValue | undefined, type: 'string'): boolean {
  return value === undefined || typeof value === type;
}

function areTexts(value: JsonValue, name: keyof Part | keyof TitleEntry): boolean {
  return (
    Array.isArray(value) &&
    value.every((item) => {
      const object = typeof item === 'object' && item !== null && !Array.isArray(item) ? item : {};
      return typeof object[name] === 'string' && typeof object['text'] === 'string';
    })
  );
}
