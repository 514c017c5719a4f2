import { DatabaseError } from '../db/errors.ts';
import { findBatch, lockForLook } from '../db/queries/changes.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import { AppendBatch } from './append-batch.ts';
import { type BatchMember, type Outcome, type Postponed, runBatch } from './batch.ts';
import type { BatchOptions } from './batch-context.ts';
import { type ElementType, sequenceKeyString } from './model.ts';

/** What a look for a batch has found: that it was committed, that it was not, or that its answers cannot be told. */
export type Found = 'committed' | 'not committed' | 'untold';

/** A batch on its way, in one transaction. */
export class Attempt {
  readonly #members: readonly BatchMember[];
  readonly #options: BatchOptions;
  #outcomes: readonly (Outcome | Postponed)[] = [];
  /** What one statement writes, where that is enough, and its answer, which is not awaited before the commit. */
  #appends: AppendBatch | undefined;
  #appended: Promise<Outcome[] | undefined> | undefined;

  /** @param options with a fresh token: in the batch's change rows, the proof that it was committed */
  constructor(members: readonly BatchMember[], options: BatchOptions) {
    this.#members = members;
    this.#options = options;
  }

  /** Whether it was tried in one statement; what that refuses may pass in the long form. */
  get isOptimistic(): boolean {
    return this.#appends !== undefined;
  }

  /**
   * Runs it, in one statement where that is enough.
   * @param form whether in the long form all the same, and whether nothing else is in the transaction
   */
  async run(tx: WriteTransaction, { inFull, alone }: { inFull: boolean; alone: boolean }): Promise<void> {
    const { appendsAtOnce, locksRows } = tx.engine.capabilities;
    // Where the statement does not make a sequence, what is in the transaction besides would come before the long form.
    const inOne = appendsAtOnce && (alone || !locksRows);
    if (!inFull && inOne) this.#appends = AppendBatch.of(this.#members, !locksRows);
    if (this.#appends === undefined) {
      this.#outcomes = await runBatch(tx, this.#members, this.#options);
      return;
    }
    this.#appended = this.#appends.run(tx, this.#options, alone);
    // Whoever commits is told of its failure.
    this.#appended.catch(() => {});
  }

  /**
   * The outcomes, once it has committed; undefined where it has to be run in the long form.
   * @throws DatabaseError `outcome_unknown`, where the answer of the one statement cannot be read
   */
  async outcomes(): Promise<readonly (Outcome | Postponed)[] | undefined> {
    try {
      return this.#appended === undefined ? this.#outcomes : await this.#appended;
    } catch (error) {
      throw new DatabaseError('outcome_unknown', 'the answer to a batch cannot be read', error);
    }
  }

  /**
   * Where it is not known whether the commit happened, looks for its token under the same locks. It writes, so that
   * its own commit takes the place of what a failed one left in SQLite's log, which could come back after a crash.
   */
  async look(tx: WriteTransaction): Promise<Found> {
    const written = this.#written();
    if (written.length === 0) return 'not committed';
    await lockForLook(tx, written);
    if (this.#appends === undefined)
      return (await findBatch(tx, written, this.#options.token)) ? 'committed' : 'not committed';
    const found = await this.#appends.look(tx, this.#options.token);
    if (found === undefined) return 'not committed';
    if (found === 'moved on') return 'untold';
    this.#appended = Promise.resolve(found);
    return 'committed';
  }

  /** The sequences that it has changed, each with the lowest revision that it can have given it. */
  #written(): (readonly [scope: string, elementType: ElementType, revision: number])[] {
    const lowest = new Map<string, readonly [string, ElementType, number]>();
    for (const [index, { write }] of this.#members.entries()) {
      const answer = this.#outcomes[index]?.answer;
      if (!answer && !this.isOptimistic) continue;
      const name = sequenceKeyString(write.sequence);
      const revision = answer?.revision ?? 0;
      const { scope, elementType } = write.sequence;
      lowest.set(name, [scope, elementType, Math.min(revision, lowest.get(name)?.[2] ?? revision)]);
    }
    return [...lowest.values()];
  }
}
