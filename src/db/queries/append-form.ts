import type { ElementType } from '../entities/sequence.ts';
import type { SqlValue } from '../transaction.ts';

/** An element to put at the end of a sequence. */
export type AppendRow = readonly [elementId: number, comment: string, content: string | null, caller: string];

/** Elements to put at the end of one sequence. */
export interface Appends {
  readonly scope: string;
  readonly elementType: ElementType;
  readonly rows: readonly AppendRow[];
}

/** A sequence as it was before elements were put at its end; the first of them took the next of each number. */
export interface AppendBase {
  readonly size: number;
  readonly revision: number;
  /** Microseconds since the epoch. */
  readonly time: number;
}

/** The one statement that puts elements at the end of sequences, in the form of an engine. */
export interface AppendForm {
  readonly sql: string;
  parameters(appends: readonly Appends[], change: { now: number; token: string }): SqlValue[];
  /** What the statement's rows tell, in the order of the appends; undefined where a sequence is missing. */
  bases(rows: readonly unknown[], appends: readonly Appends[]): (AppendBase | undefined)[];
}
