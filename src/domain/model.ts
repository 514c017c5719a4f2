import type { ElementType } from '../db/entities/sequence.ts';

export { ELEMENT_TYPES, type ElementType } from '../db/entities/sequence.ts';

/** The largest element id: it becomes a JSON number, so 2^53-1. */
export const MAX_ELEMENT_ID = Number.MAX_SAFE_INTEGER;

/** Names a sequence: the ordered list of all elements of one type in one scope. */
export interface SequenceKey {
  readonly scope: string;
  readonly elementType: ElementType;
}

/** The key as one string. A scope has no slash, so two keys never collide. */
export function sequenceKeyString(key: SequenceKey): string {
  return `${key.scope}/${key.elementType}`;
}

/** Where an element is to stand. */
export type Target =
  | { readonly at: 'before' | 'after'; readonly elementId: number }
  | { readonly at: 'first' | 'last' }
  | { readonly at: 'position'; readonly position: number };

/** An element without its content, as answers to writes carry it. Times are microseconds since the epoch. */
export interface ElementAnswer {
  elementId: number;
  sequenceNumber: number;
  versionNumber: number;
  comment: string;
  createTime: number;
  updateTime: number;
}

/** The numbers first..last, as they were before the write, got `by` added. */
export interface ShiftedRange {
  first: number;
  last: number;
  by: 1 | -1;
}

/** The counters of a sequence after a write. */
export interface Revisions {
  revision: number;
  orderRevision: number;
}
