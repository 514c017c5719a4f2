import { EntitySchema } from 'typeorm';

/** A row of `version`: a version that another has replaced. Insert-only; goes when its element is removed. */
export interface VersionRow {
  sequenceId: number;
  elementId: number;
  versionNumber: number;
  /** The element's place when the next version replaced this one. */
  sequenceNumber: number;
  comment: string;
  /** Canonical JSON of the content, or null. */
  content: string | null;
  /** When the version was made, microseconds since the epoch. */
  createTime: number;
}

export const VersionEntity = new EntitySchema<VersionRow>({
  name: 'version',
  columns: {
    sequenceId: { name: 'sequence_id', type: 'integer', primary: true },
    elementId: { name: 'element_id', type: 'bigint', primary: true },
    versionNumber: { name: 'version_number', type: 'integer', primary: true },
    sequenceNumber: { name: 'sequence_number', type: 'integer' },
    comment: { type: 'text' },
    content: { type: 'text', nullable: true },
    createTime: { name: 'create_time', type: 'bigint' },
  },
  foreignKeys: [
    {
      name: 'version_element',
      target: 'element',
      columnNames: ['sequenceId', 'elementId'],
      referencedColumnNames: ['sequenceId', 'elementId'],
    },
  ],
});
