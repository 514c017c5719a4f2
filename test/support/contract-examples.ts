import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** What stands for "something" in an example: `[...]` and `"..."`. */
const ANYTHING = '…';

/** The JSON objects of a comment's `Example:`, in their order: the request, and the answer where it is written out. */
export function exampleOf(comment: string): JsonObject[] {
  const text = comment.slice(comment.indexOf('Example: ')).replaceAll('\n', ' ');
  const objects: JsonObject[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{' && depth++ === 0) start = i;
    if (text[i] === '}' && --depth === 0) objects.push(parse(text.slice(start, i + 1)));
  }
  return objects;
}

/** Where an answer differs from an example: the path of the first difference, or undefined. */
export function differenceFrom(
  expected: JsonValue,
  actual: JsonValue | undefined,
  path = '',
): string | undefined {
  if (actual === undefined) return `${path} is missing`;
  if (expected === ANYTHING) return undefined;
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null)
    return expected === actual ? undefined : `${path} is ${actual}, not ${expected}`;
  const { [ANYTHING]: more, ...fields } = expected as JsonObject;
  const keys = Object.keys(fields);
  const extra = Object.keys(actual).find((key) => !keys.includes(key));
  if (more === undefined && extra !== undefined) return `${path}.${extra} is not expected`;
  for (const key of keys) {
    const difference = differenceFrom(fields[key]!, (actual as JsonObject)[key], `${path}.${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function parse(text: string): JsonObject {
  const json = text
    .replaceAll(',...}', `,"${ANYTHING}":true}`)
    .replaceAll('[...]', `"${ANYTHING}"`)
    .replaceAll('"..."', `"${ANYTHING}"`);
  return JSON.parse(json) as JsonObject;
}
