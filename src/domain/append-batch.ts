import { appendElements, findAppended } from '../db/queries/append.ts';
import type { AppendBase, Appends } from '../db/queries/append-form.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import type { BatchMember, Outcome } from './batch.ts';
import type { BatchOptions } from './batch-context.ts';
import { sequenceKeyString } from './model.ts';
import { isAppend } from './operations/append.ts';
import type { Generate } from './writes.ts';

/** Generates at the end of one sequence, and where they stand in their batch. */
interface Group extends Appends {
  readonly rows: [elementId: number, comment: string, content: string | null, caller: string][];
  readonly members: number[];
  readonly ids: Set<number>;
}

/** A batch that one statement can write. */
export class AppendBatch {
  readonly #groups: readonly Group[];

  private constructor(groups: readonly Group[]) {
    this.#groups = groups;
  }

  /**
   * Takes a batch that is nothing but Generates at the end, of which none has to be judged: there the locked counters and
   * the unique constraints decide.
   *
   * @param severalSequences whether they may be of more than one
   * @returns undefined where it is another one
   */
  static of(members: readonly BatchMember[], severalSequences: boolean): AppendBatch | undefined {
    const groups = new Map<string, Group>();
    for (const [index, { write, hash }] of members.entries()) {
      if (hash !== undefined || !isAppend(write)) return undefined;
      const { sequence, elementId, comment, content, caller, expectedRevision } = write as Generate;
      if (expectedRevision !== undefined) return undefined;
      const name = sequenceKeyString(sequence);
      let group = groups.get(name);
      if (group === undefined) {
        if (groups.size > 0 && !severalSequences) return undefined;
        group = { ...sequence, rows: [], members: [], ids: new Set() };
        groups.set(name, group);
      }
      if (group.ids.has(elementId)) return undefined;
      group.ids.add(elementId);
      group.rows.push([elementId, comment, content, caller]);
      group.members.push(index);
    }
    return groups.size === 0 ? undefined : new AppendBatch([...groups.values()]);
  }

  /**
   * Runs it. Optimistic: where an element exists already, the database refuses the batch.
   *
   * @param alone whether nothing else is in the transaction
   * @returns the outcome of each member; undefined where a sequence is missing, which the engine does not make, and nothing
   * is written
   * @throws DatabaseError
   */
  async run(
    tx: WriteTransaction,
    { now, token }: BatchOptions,
    alone: boolean,
  ): Promise<Outcome[] | undefined> {
    const bases = await appendElements(tx, this.#groups, { now: now(), token }, alone);
    return this.#outcomes(bases);
  }

  /**
   * The outcomes of a batch whose answer was lost. The caller holds the locks of its sequences.
   *
   * @returns undefined where it was not committed; `moved on` where the order has changed since, and nobody can tell
   */
  async look(tx: WriteTransaction, token: string): Promise<Outcome[] | 'moved on' | undefined> {
    const bases: (AppendBase | undefined)[] = [];
    for (const { scope, elementType } of this.#groups) {
      const base = await findAppended(tx, [scope, elementType], token);
      if (base === 'moved on') return base;
      bases.push(base);
    }
    return this.#outcomes(bases);
  }

  #outcomes(bases: readonly (AppendBase | undefined)[]): Outcome[] | undefined {
    const outcomes: Outcome[] = [];
    for (const [index, { members, rows }] of this.#groups.entries()) {
      const base = bases[index];
      if (base === undefined) return undefined;
      for (const [at, [elementId, comment]] of rows.entries()) {
        const step = at + 1;
        const time = base.time + step;
        outcomes[members[at]!] = {
          answer: {
            revision: base.revision + step,
            orderRevision: base.revision + step,
            element: {
              elementId,
              sequenceNumber: base.size + step,
              versionNumber: 1,
              comment,
              createTime: time,
              updateTime: time,
            },
          },
        };
      }
    }
    return outcomes;
  }
}
