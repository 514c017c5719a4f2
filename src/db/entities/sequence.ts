import { EntitySchema } from 'typeorm';

/** The element types, as they stand in rows and documents. */
export const ELEMENT_TYPES = ['script', 'section', 'character', 'action', 'spokenWord'] as const;

/** The kind of an element: one of {@link ELEMENT_TYPES}. */
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** A row of `sequence`: mutex, counter and revision of one sequence. Once used, it is never deleted. */
export interface SequenceRow {
  id: number;
  scope: string;
  elementType: ElementType;
  /** How many elements the sequence has; their numbers are exactly 1..size. */
  size: number;
  /** How many writes have changed something. */
  revision: number;
  /** The revision of the last change of order or membership. */
  orderRevision: number;
  /** Microseconds since the epoch; strictly increasing from write to write, also where the clock goes back. */
  lastChangeTime: number;
}

export const SequenceEntity = new EntitySchema<SequenceRow>({
  name: 'sequence',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    scope: { type: 'text' },
    elementType: { name: 'element_type', type: 'text' },
    size: { type: 'integer' },
    revision: { type: 'bigint' },
    orderRevision: { name: 'order_revision', type: 'bigint' },
    lastChangeTime: { name: 'last_change_time', type: 'bigint' },
  },
  uniques: [{ name: 'sequence_key', columns: ['scope', 'elementType'] }],
});
