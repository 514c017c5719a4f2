import assert from 'node:assert/strict';
import { hasChanged, Model, type SentWrite, type SequenceName } from '../../test/process/history.ts';

/**
 * What was acknowledged to one sequence, run on a plain list in the order of the revisions that the answers claim. An
 * answer that contradicts the list, a revision given twice or one that is missing at the end is a broken promise.
 */
export class Ledger {
  readonly sequence: SequenceName;
  readonly #model = new Model();
  /** Answered, but with a revision before theirs still to come. */
  readonly #early = new Map<number, SentWrite>();
  #revision = 0;

  constructor(sequence: SequenceName) {
    this.sequence = sequence;
  }

  get revision(): number {
    return this.#revision;
  }

  get elements(): Model['elements'] {
    return this.#model.elements;
  }

  /** Takes an answered write in. */
  add(write: SentWrite): void {
    if (!hasChanged(write)) return;
    const revision = Number(write.answer?.body['revision']);
    assert.ok(
      revision > this.#revision && !this.#early.has(revision),
      `revision ${revision} was given twice`,
    );
    this.#early.set(revision, write);
    for (let next = this.#early.get(this.#revision + 1); next; next = this.#early.get(this.#revision + 1)) {
      this.#model.apply(next);
      this.#revision += 1;
      this.#early.delete(this.#revision);
    }
  }

  /** Nothing that was acknowledged is missing. */
  close(): void {
    assert.deepEqual([...this.#early.keys()], [], `after revision ${this.#revision} one is missing`);
  }
}
