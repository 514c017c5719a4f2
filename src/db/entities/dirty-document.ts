import { EntitySchema } from 'typeorm';

/** The next try of a parked document: never, until an operator or a new state says otherwise. */
export const PARKED = Number.MAX_SAFE_INTEGER;

/**
 * A row of `dirty_document`: a document whose latest state the search index has not yet acknowledged. At most
 * one row a document, so the table never outgrows the data. The document's id follows from its key.
 */
export interface DirtyDocumentRow {
  sequenceId: number;
  elementId: number;
  versionNumber: number;
  /** Random, fresh with every marking: tells whether a document changed while it was being sent. */
  mark: string;
  /** The oldest revision that the index has not acknowledged. */
  sinceRevision: number;
  /** The newest revision that touched the document. */
  wantedRevision: number;
  /** 0 for what callers write, higher numbers later. */
  priority: number;
  /** How often sending was refused for this document itself. */
  attempts: number;
  /** Not before this time, microseconds since the epoch; {@link PARKED} where it waits for an operator. */
  nextTryTime: number;
  /** When the oldest change that the index has not acknowledged was made, microseconds since the epoch. */
  sinceTime: number;
  /** What the index said when it last refused this document, or null. */
  error: string | null;
  /** Who is sending it now, or null. */
  leaseOwner: string | null;
  /** Until when that holds, microseconds since the epoch; null without a lease. */
  leaseExpireTime: number | null;
}

export const DirtyDocumentEntity = new EntitySchema<DirtyDocumentRow>({
  name: 'dirty_document',
  withoutRowid: true,
  columns: {
    sequenceId: { name: 'sequence_id', type: 'integer', primary: true },
    elementId: { name: 'element_id', type: 'bigint', primary: true },
    versionNumber: { name: 'version_number', type: 'integer', primary: true },
    mark: { type: 'text' },
    sinceRevision: { name: 'since_revision', type: 'bigint' },
    wantedRevision: { name: 'wanted_revision', type: 'bigint' },
    priority: { type: 'integer' },
    attempts: { type: 'integer' },
    nextTryTime: { name: 'next_try_time', type: 'bigint' },
    sinceTime: { name: 'since_time', type: 'bigint' },
    error: { type: 'text', nullable: true },
    leaseOwner: { name: 'lease_owner', type: 'text', nullable: true },
    leaseExpireTime: { name: 'lease_expire_time', type: 'bigint', nullable: true },
  },
  indices: [{ name: 'dirty_document_due', columns: ['priority', 'nextTryTime'] }],
});
