/** What is to be done to one document of the index. */
export type Operation =
  | {
      readonly kind: 'put';
      readonly id: string;
      /** The document, on one line. */
      readonly json: string;
      /** Whether the index has never acknowledged it. Only a hint: what was sent without an answer may be there. */
      readonly isNew: boolean;
    }
  | { readonly kind: 'delete'; readonly id: string };

/**
 * Whose fault a refusal is: the document's own, which uses up an attempt; unclear, as where an index says the same of
 * everything: then it uses one up only if another document passes meanwhile; the index's, which uses up none.
 */
export type Blame = 'document' | 'unclear' | 'index';

/** What the index said of one document. */
export type Verdict =
  | { readonly kind: 'acknowledged' }
  | {
      readonly kind: 'refused';
      readonly error: string;
      readonly blame: Blame;
    };

/** The verdict on a document that the index has taken as it is. */
export const ACKNOWLEDGED: Verdict = Object.freeze({ kind: 'acknowledged' });

/** The index did not do what it was asked, for a reason that is not a document's. No attempt is used up. */
export class OutageError extends Error {
  override readonly name = 'OutageError';
  /** Whether the request may have been, or may still be, applied: it ended without an answer. */
  readonly unanswered: boolean;
  /** Whether the collection is missing. */
  readonly collectionMissing: boolean;
  /** When the index asked to be left alone until; milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: {
      unanswered: boolean;
      collectionMissing?: boolean;
      retryAfterMs?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.unanswered = options.unanswered;
    this.collectionMissing = options.collectionMissing ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Answers of something in between that has had no answer itself, so that the request may still be applied. */
const UNANSWERED_STATUS = new Set([408, 502, 504]);

/** Whether an answer with this status leaves open what became of the request. */
export function leavesOpen(status: number): boolean {
  return UNANSWERED_STATUS.has(status);
}

/** Where documents are sent. Every call settles soon after its signal is aborted. */
export interface Target {
  /** What and where it is, without credentials; kept in the database. */
  readonly identity: string;
  /** Operations in one call, and calls at a time; may change from call to call. */
  readonly batchSize: number;
  readonly concurrency: number;
  /**
   * Creates the collection where it is missing, and tells whether it holds documents: one that a request made which
   * was given up is as empty as one just created. Throws OutageError, or an Error where it has another schema.
   *
   * @param beforeMaking awaited before it is created, by a target that can look without creating it
   */
  prepare(signal: AbortSignal, beforeMaking?: () => Promise<void>): Promise<'empty' | 'filled'>;
  /** One verdict an operation, in their order. Throws OutageError where there is none. */
  send(operations: readonly Operation[], signal: AbortSignal): Promise<Verdict[]>;
  /** How many documents the index holds; undefined where the target cannot tell. */
  count(signal: AbortSignal): Promise<number | undefined>;
  /** Deletes what older generations left in a scope; false where the target cannot, so that it stays. */
  deleteOlder(
    scope: { scope: string | null; elementType: string | null },
    generation: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Drops the collection. */
  drop(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The milliseconds that a Retry-After header asks for; undefined where there is none that can be read. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
