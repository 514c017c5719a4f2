import type { ElementType, SequenceKey } from './model.ts';

/** How far the search index has followed. */
export interface SyncStatus {
  readonly enabled: boolean;
  readonly target: string;
  readonly dirty: number;
  readonly parked: number;
  readonly oldestAgeSeconds: number;
  /** `closed`, `open`, `half_open`, or empty where nothing is sent. */
  readonly breakerState: string;
  readonly lastError: string;
  readonly resync: ResyncProgress | undefined;
}

/** How far a resync is. */
export interface ResyncProgress {
  readonly generation: number;
  readonly marked: number;
  readonly total: number;
  readonly remaining: number;
}

/** A parked document, as operators see it. */
export interface ParkedDocumentView {
  readonly documentId: string;
  readonly attempts: number;
  readonly error: string;
}

/** What operators can see and do of the search index. All throw DomainError. */
export interface SyncControl {
  status(): Promise<SyncStatus>;
  listParked(
    pageSize: number,
    pageToken: string,
  ): Promise<{ documents: ParkedDocumentView[]; nextPageToken: string }>;
  /** @returns how many were parked and are due now */
  retryParked(documentIds: readonly string[] | 'all'): Promise<number>;
  /** @returns the generation */
  resync(scope: string | undefined, elementType: ElementType | undefined): Promise<number>;
  /** Resolves when the index has acknowledged a sequence up to a revision; rejects with the signal's reason. */
  waitForSync(sequence: SequenceKey, revision: number, signal: AbortSignal): Promise<void>;
}
