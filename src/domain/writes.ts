import type { ElementAnswer, Revisions, SequenceKey, ShiftedRange, Target } from './model.ts';

interface WriteBase {
  readonly sequence: SequenceKey;
  /** The name of who asks; empty without authentication. Request ids belong to a sequence and a caller. */
  readonly caller: string;
  /** A UUID in lower case, where a repetition is to be safe. */
  readonly requestId?: string | undefined;
  readonly comment: string;
}

interface OrderWriteBase extends WriteBase {
  /** Refuses the write where the order has changed since this revision. */
  readonly expectedRevision?: number | undefined;
}

/** Puts an element into its sequence, at the end where there is no target. */
export interface Generate extends OrderWriteBase {
  readonly kind: 'generate';
  readonly elementId: number;
  /** Canonical JSON, or null. */
  readonly content: string | null;
  readonly target?: Target | undefined;
}

/** Puts elements at the end of a sequence, all or none. */
export interface BatchGenerate extends OrderWriteBase {
  readonly kind: 'batch_generate';
  readonly items: readonly {
    readonly elementId: number;
    readonly comment: string;
    readonly content: string | null;
  }[];
}

/** Makes the listed elements exchange the places that they hold. */
export interface Reorder extends OrderWriteBase {
  readonly kind: 'reorder';
  readonly newOrder: readonly number[];
}

/** Moves one element. */
export interface Move extends OrderWriteBase {
  readonly kind: 'move';
  readonly elementId: number;
  readonly target: Target;
}

/** Gives an element its next version. */
export interface CreateVersion extends WriteBase {
  readonly kind: 'create_version';
  readonly elementId: number;
  /** Canonical JSON, or null. */
  readonly content: string | null;
  /** Refuses the write where the latest version is not this one. */
  readonly expectedVersion?: number | undefined;
}

/** Takes an element and its versions out. */
export interface Remove extends OrderWriteBase {
  readonly kind: 'remove';
  readonly elementId: number;
}

/** Everything that a caller can change. */
export type Write = Generate | BatchGenerate | Reorder | Move | CreateVersion | Remove;

/**
 * Elements whose number changed, in columns: `oldNumbers[n]` and `newNumbers[n]` are the numbers of `elementIds[n]`. An
 * array for each would live until the commit, and a collection of the young before that would copy thousands.
 */
export interface MovedElements {
  elementIds: number[];
  oldNumbers: number[];
  newNumbers: number[];
}

/** The answer of each write; plain data, since it is stored as JSON with the request id. */
export interface Answers {
  generate: Revisions & { element: ElementAnswer };
  batch_generate: Revisions & { elements: ElementAnswer[] };
  reorder: Revisions & {
    comment: string;
    moved: MovedElements;
  };
  move: Revisions & { oldSequenceNumber: number; newSequenceNumber: number; shifted: ShiftedRange | null };
  create_version: Revisions & { versionNumber: number; comment: string; sequenceNumber: number };
  remove: Revisions & { oldSequenceNumber: number; shifted: ShiftedRange | null };
}

/** The answer that belongs to a write. */
export type AnswerOf<W extends Write> = Answers[W['kind']];

/** Any answer. */
export type Answer = Answers[keyof Answers];

/** About how much memory a write holds while it waits, in bytes. */
export function writeBytes(write: Write): number {
  let bytes = 512 + 2 * write.comment.length;
  if (write.kind === 'generate' || write.kind === 'create_version') bytes += 2 * (write.content?.length ?? 0);
  else if (write.kind === 'reorder') bytes += 8 * write.newOrder.length;
  else if (write.kind === 'batch_generate')
    for (const item of write.items) bytes += 128 + 2 * (item.comment.length + (item.content?.length ?? 0));
  return bytes;
}
