import { EntitySchema } from 'typeorm';

/** What a write did. */
export type ChangeKind = 'generate' | 'batch_generate' | 'reorder' | 'move' | 'create_version' | 'remove';

/**
 * A row of `change`: request log, history and proof of commit in one. Every write that changed something has
 * one; a write that changed nothing has one only where it came with a request id.
 */
export interface ChangeRow {
  sequenceId: number;
  /** The revision of the sequence after the write. */
  revision: number;
  /** Microseconds since the epoch, strictly increasing within a sequence. */
  changeTime: number;
  kind: ChangeKind;
  comment: string;
  /** The caller's name, empty without authentication. */
  caller: string;
  /** A UUID in lower case, or null. */
  requestId: string | null;
  /** SHA-256 of the validated request in canonical form, hexadecimal; null without a request id. */
  requestHash: string | null;
  /** The answer as JSON; null without a request id. */
  answer: string | null;
  /** The batch that wrote it: what is looked for where the outcome of a commit is unknown. */
  batchToken: string;
}

export const ChangeEntity = new EntitySchema<ChangeRow>({
  name: 'change',
  withoutRowid: true,
  columns: {
    sequenceId: { name: 'sequence_id', type: 'integer', primary: true },
    revision: { type: 'bigint', primary: true },
    changeTime: { name: 'change_time', type: 'bigint', primary: true },
    kind: { type: 'text' },
    comment: { type: 'text' },
    caller: { type: 'text' },
    requestId: { name: 'request_id', type: 'text', nullable: true },
    requestHash: { name: 'request_hash', type: 'text', nullable: true },
    answer: { type: 'text', nullable: true },
    batchToken: { name: 'batch_token', type: 'text' },
  },
  indices: [
    {
      name: 'change_request',
      columns: ['sequenceId', 'caller', 'requestId'],
      unique: true,
      where: '"request_id" IS NOT NULL',
    },
  ],
  foreignKeys: [
    {
      name: 'change_sequence',
      target: 'sequence',
      columnNames: ['sequenceId'],
      referencedColumnNames: ['id'],
    },
  ],
});
