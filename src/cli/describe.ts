import type { JsonObject } from '@bufbuild/protobuf';

/** Content in a few words: who speaks and what, or else its JSON. */
export function describe(content: JsonObject | undefined): string {
  if (content === undefined) return '';
  const { text, character } = content;
  if (typeof text !== 'string') return JSON.stringify(content);
  return typeof character === 'string' && character !== text ? `${character}: ${text}` : text;
}
