import { EntitySchema } from 'typeorm';

/** A row of `element`: one element with its latest version. */
export interface ElementRow {
  sequenceId: number;
  /** Chosen by the caller, 1 to 2^53-1. */
  elementId: number;
  /** Its place, 1..n. Negative only inside of the transaction that renumbers it. */
  sequenceNumber: number;
  /** The number of the latest version, 1..m. */
  versionNumber: number;
  comment: string;
  /** Canonical JSON of the content, or null. */
  content: string | null;
  /** When this life of the element began, microseconds since the epoch. */
  createTime: number;
  /** When the latest version was made, microseconds since the epoch. */
  updateTime: number;
}

export const ElementEntity = new EntitySchema<ElementRow>({
  name: 'element',
  columns: {
    sequenceId: { name: 'sequence_id', type: 'integer', primary: true },
    elementId: { name: 'element_id', type: 'bigint', primary: true },
    sequenceNumber: { name: 'sequence_number', type: 'integer' },
    versionNumber: { name: 'version_number', type: 'integer' },
    comment: { type: 'text' },
    content: { type: 'text', nullable: true },
    createTime: { name: 'create_time', type: 'bigint' },
    updateTime: { name: 'update_time', type: 'bigint' },
  },
  uniques: [{ name: 'element_sequence_number', columns: ['sequenceId', 'sequenceNumber'] }],
  foreignKeys: [
    {
      name: 'element_sequence',
      target: 'sequence',
      columnNames: ['sequenceId'],
      referencedColumnNames: ['id'],
    },
  ],
});
