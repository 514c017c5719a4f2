import { EntitySchema } from 'typeorm';

/** The one row of `sync_target`: which search index the documents of this database have been sent to. */
export interface SyncTargetRow {
  /** Always 1. */
  id: number;
  identity: string;
  /** Of the newest resync; documents carry it. */
  generation: number;
  /** 1 while a process sends; still 1 at its start, the one before ended without a stop. */
  sending: number;
}

export const SyncTargetEntity = new EntitySchema<SyncTargetRow>({
  name: 'sync_target',
  columns: {
    id: { type: 'integer', primary: true },
    identity: { type: 'text' },
    generation: { type: 'bigint' },
    sending: { type: 'integer' },
  },
});

/** A row of `resync`: a renewed sending of all documents of a scope, with the place that it has reached. */
export interface ResyncRow {
  generation: number;
  /** Null means every scope. */
  scope: string | null;
  /** Null means every element type. */
  elementType: string | null;
  /** How many documents it has marked, and how many there were when it began. */
  marked: number;
  total: number;
  /** The last document marked, or null at the beginning. */
  cursorSequenceId: number | null;
  cursorElementId: number | null;
  cursorVersionNumber: number | null;
  /** Microseconds since the epoch. */
  createTime: number;
  /** When everything was marked, microseconds since the epoch; null until then. */
  markFinishTime: number | null;
  /** When the index had acknowledged everything, microseconds since the epoch; null while it runs. */
  finishTime: number | null;
}

export const ResyncEntity = new EntitySchema<ResyncRow>({
  name: 'resync',
  columns: {
    generation: { type: 'integer', primary: true },
    scope: { type: 'text', nullable: true },
    elementType: { name: 'element_type', type: 'text', nullable: true },
    cursorSequenceId: { name: 'cursor_sequence_id', type: 'integer', nullable: true },
    cursorElementId: { name: 'cursor_element_id', type: 'bigint', nullable: true },
    cursorVersionNumber: { name: 'cursor_version_number', type: 'integer', nullable: true },
    marked: { type: 'bigint' },
    total: { type: 'bigint' },
    createTime: { name: 'create_time', type: 'bigint' },
    markFinishTime: { name: 'mark_finish_time', type: 'bigint', nullable: true },
    finishTime: { name: 'finish_time', type: 'bigint', nullable: true },
  },
});
