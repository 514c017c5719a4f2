/**
 * The calls that the bench makes. A template is the request's JSON, in which stand
 * `{scope}`     the sequence's scope, one after another where there are several,
 * `{fresh}`     an id that was never used, counting up,
 * `{existing}`  any of 1..elements,
 * `{last}`      elements, elements - 1, …
 */
export interface Call {
  readonly path: string;
  readonly template: string;
}

const sequence = '"scope":"{scope}","elementType":"ELEMENT_TYPE_SCRIPT"';
const of = (method: string, rest: string): Call => ({
  path: `/fountain.sequence.v1.SequenceService/${method}`,
  template: `{${sequence}${rest}}`,
});
const many = (count: number, what: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => what(i));

/** Elements that one BatchGenerate brings. */
export const BATCH = 100;
/** Elements that one Reorder of the matrix lists. */
export const LISTED = 10;

export const CALLS = {
  empty: { path: '/grpc.health.v1.Health/Check', template: '{}' },
  generate: of('Generate', ',"elementId":"{fresh}"'),
  batchGenerate: of('BatchGenerate', `,"items":[${many(BATCH, () => '{"elementId":"{fresh}"}').join()}]`),
  reorder: of('Reorder', `,"newOrder":[${many(LISTED, (i) => `"${((i * 7) % LISTED) + 1}"`).join()}]`),
  move: of('Move', ',"elementId":"{existing}","position":1'),
  createVersion: of('CreateVersion', ',"elementId":"{existing}"'),
  remove: of('Remove', ',"elementId":"{last}"'),
  getElement: of('GetElement', ',"elementId":"{existing}"'),
  getVersion: of('GetVersion', ',"elementId":"{existing}","versionNumber":1'),
  listElements: of('ListElements', ',"pageSize":50'),
  listVersions: of('ListVersions', ',"elementId":"{existing}"'),
  getSequence: of('GetSequence', ''),
} as const satisfies Record<string, Call>;

export type CallName = keyof typeof CALLS;

/** A call that is the same every time: no part of it is filled in but the scope. */
export function isConstant(name: CallName): boolean {
  return !/\{(fresh|existing|last)\}/.test(CALLS[name].template);
}
