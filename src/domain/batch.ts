import type { ChangeRow } from '../db/entities/change.ts';
import { DatabaseError } from '../db/errors.ts';
import { findRequests, insertChanges, type RememberedRequest } from '../db/queries/changes.ts';
import { findElementsByKey } from '../db/queries/elements.ts';
import { createSequence, lockSequences, updateSequences } from '../db/queries/sequences.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import type { BatchContext, BatchOptions } from './batch-context.ts';
import { DomainError, ElementExistsError, RequestIdReusedError, RevisionMismatchError } from './errors.ts';
import { LockedSequence } from './locked-sequence.ts';
import { sequenceKeyString } from './model.ts';
import { type Append, isAppend, judgeAppend, writeAppends } from './operations/append.ts';
import { applyWrite } from './operations/apply.ts';
import { recalledAnswer, storedAnswer } from './stored-answer.ts';
import type { Answer, Generate, Write } from './writes.ts';

/** A write with the hash of its request, which only a write with a request id has. */
export interface BatchMember {
  readonly write: Write;
  readonly hash: string | undefined;
}

/** What became of a member: its answer, or the rule that it broke. */
export type Outcome =
  | { readonly answer: Answer; readonly error?: never }
  | { readonly error: DomainError; readonly answer?: never };

/** The outcome of a member that has not run: another transaction holds its sequence, it may take long, or enough ran. */
export type Postponed = undefined;

/**
 * Runs writes in one transaction. The result is that of running them one after another in the order given;
 * a member that breaks a rule fails alone and writes nothing.
 *
 * Members of different sequences do not see each other, so each sequence has an order of its own: Generates
 * at the end that stand next to each other there are judged in memory and written as one set, those of all
 * sequences together; every other write is a run of its own.
 *
 * Of several sequences, those that other transactions hold are left out, and those where a write may renumber many, so
 * that nobody else waits for it; of one, its lock is waited for.
 *
 * @returns the outcome of each member, in their order; true only once the transaction has committed
 * @throws DatabaseError, after which nothing of the batch may be committed
 */
export async function runBatch(
  tx: WriteTransaction,
  members: readonly BatchMember[],
  options: BatchOptions,
): Promise<(Outcome | Postponed)[]> {
  return await new Batch(tx, members, options).run();
}

/**
 * A write that may renumber more elements than this has a batch for its own sequence; and when so many have been
 * renumbered in a sequence, the rest of its writes have another batch. PostgreSQL keeps each state of a row until the
 * transaction has ended, and looks through all of them at each change: 63 Moves of 1,000 elements in one were not done in 2 s.
 */
const LARGE = 10_000;

/** The members of one sequence, and how far they have run. */
interface Queue {
  readonly sequence: LockedSequence;
  readonly members: number[];
  next: number;
  /** Elements that its members have given other numbers, each as often as it got one. */
  renumbered: number;
  /** Whether another transaction holds the sequence, or would have to wait for long, so that its members do not run. */
  postponed: boolean;
}

/** A change row to write; its sequence may get an id only later in the batch. */
type Change = Omit<ChangeRow, 'sequenceId' | 'batchToken'> & { sequence: LockedSequence };

class Batch implements BatchContext {
  readonly tx: WriteTransaction;
  readonly now: () => number;
  readonly token: string;
  readonly maxRenumber: number;
  readonly #members: readonly BatchMember[];
  readonly #queues = new Map<string, Queue>();
  readonly #queueOf: Queue[] = [];
  readonly #remembered = new Map<string, RememberedRequest>();
  readonly #changes: Change[] = [];
  readonly #outcomes: (Outcome | Postponed)[];

  constructor(tx: WriteTransaction, members: readonly BatchMember[], options: BatchOptions) {
    this.tx = tx;
    this.now = options.now;
    this.token = options.token;
    this.maxRenumber = options.maxRenumber;
    this.#members = members;
    this.#outcomes = members.map(() => undefined);
    members.forEach(({ write }, index) => {
      const name = sequenceKeyString(write.sequence);
      let queue = this.#queues.get(name);
      if (queue === undefined) {
        queue = {
          sequence: new LockedSequence(write.sequence, options.now),
          members: [],
          next: 0,
          renumbered: 0,
          postponed: false,
        };
        this.#queues.set(name, queue);
      }
      queue.members.push(index);
      this.#queueOf.push(queue);
    });
  }

  async run(): Promise<(Outcome | Postponed)[]> {
    // The lock comes first; what the first members will ask goes along behind it, in statements of their own.
    let wave = this.#takeAppends();
    const [locks, , first] = await Promise.all([
      lockSequences(
        this.tx,
        [...this.#queues.values()].map(({ sequence: { key } }) => [key.scope, key.elementType]),
      ),
      this.#recallRequests(),
      this.#findExisting(wave),
    ]);
    for (const { row, ...key } of locks) {
      const queue = this.#queues.get(sequenceKeyString(key))!;
      if (row === null) postpone(queue);
      else queue.sequence.load(row);
      if (this.#queues.size > 1 && this.#mayTakeLong(queue)) postpone(queue);
    }

    let existing = first;
    do {
      await this.#runAppends(wave, existing);
      for (const queue of this.#queues.values()) await this.#runOthers(queue);
      wave = this.#takeAppends();
      existing = await this.#findExisting(wave);
    } while (wave.length > 0);
    this.#refuseTorn();
    this.#flush();
    return this.#outcomes;
  }

  async sequenceId(sequence: LockedSequence): Promise<number> {
    sequence.id ??= await createSequence(this.tx, sequence.key.scope, sequence.key.elementType);
    return sequence.id;
  }

  #mayTakeLong({ members, sequence }: Queue): boolean {
    return members.some((index) => mostRenumbered(this.#members[index]!.write, sequence.size) > LARGE);
  }

  /** Takes the Generates at the end that stand at the head of each sequence's queue. */
  #takeAppends(): number[] {
    const wave: number[] = [];
    for (const queue of this.#queues.values())
      for (let index = queue.members[queue.next]; index !== undefined; index = queue.members[queue.next]) {
        if (!isAppend(this.#members[index]!.write)) break;
        queue.next += 1;
        wave.push(index);
      }
    return wave;
  }

  /** The number of the element of each member of a wave whose element exists. */
  async #findExisting(wave: readonly number[]): Promise<Map<number, number>> {
    const existing = new Map<number, number>();
    if (wave.length === 0) return existing;
    const keys = wave.map((index) => {
      const { sequence, elementId } = this.#members[index]!.write as Generate;
      return [sequence.scope, sequence.elementType, elementId] as const;
    });
    for (const row of await findElementsByKey(this.tx, keys))
      existing.set(wave[row.index]!, row.sequenceNumber);
    return existing;
  }

  async #runAppends(wave: readonly number[], existing: ReadonlyMap<number, number>): Promise<void> {
    const appends: Append[] = [];
    const generated = new Map<LockedSequence, Map<number, number>>();
    for (const index of wave) {
      const { sequence, postponed } = this.#queueOf[index]!;
      if (postponed || !this.#admit(index, sequence)) continue;
      const write = this.#members[index]!.write as Generate;
      const numbers = generated.get(sequence) ?? new Map<number, number>();
      generated.set(sequence, numbers);
      try {
        const append = judgeAppend(sequence, write, numbers.get(write.elementId) ?? existing.get(index));
        numbers.set(write.elementId, append.answer.element.sequenceNumber);
        appends.push(append);
        this.#succeed(index, sequence, append.answer, true);
      } catch (error) {
        this.#fail(index, error);
      }
    }
    await writeAppends(this, appends);
  }

  /** Runs the members at the head of a queue that are not Generates at the end, each by itself. */
  async #runOthers(queue: Queue): Promise<void> {
    const { sequence } = queue;
    for (let index = queue.members[queue.next]; index !== undefined; index = queue.members[queue.next]) {
      const { write } = this.#members[index]!;
      if (isAppend(write)) return;
      queue.next += 1;
      if (!this.#admit(index, sequence)) continue;
      const revision = sequence.revision;
      try {
        const answer = await applyWrite(this, sequence, write);
        this.#succeed(index, sequence, answer, sequence.revision !== revision);
        queue.renumbered += renumberedBy(answer);
      } catch (error) {
        this.#fail(index, error);
      }
      if (queue.renumbered > LARGE) postpone(queue);
    }
  }

  /** Whether a member is to run: not where its request has succeeded before, or expects another order. */
  #admit(index: number, sequence: LockedSequence): boolean {
    const { write, hash } = this.#members[index]!;
    const remembered = hash === undefined ? undefined : this.#remembered.get(requestKey(write));
    if (remembered !== undefined) {
      this.#outcomes[index] =
        remembered.requestHash === hash
          ? { answer: recalledAnswer(remembered.answer) }
          : { error: new RequestIdReusedError(write.requestId!) };
      return false;
    }
    const expected = 'expectedRevision' in write ? write.expectedRevision : undefined;
    if (expected !== undefined && (sequence.orderRevision > expected || expected > sequence.revision)) {
      this.#outcomes[index] = { error: new RevisionMismatchError(expected, sequence.revisions) };
      return false;
    }
    return true;
  }

  #succeed(index: number, sequence: LockedSequence, answer: Answer, changed: boolean): void {
    this.#outcomes[index] = { answer };
    const { write, hash } = this.#members[index]!;
    if (!changed && hash === undefined) return;
    const stored = hash === undefined ? null : storedAnswer(answer);
    if (hash !== undefined) this.#remembered.set(requestKey(write), { requestHash: hash, answer: stored! });
    this.#changes.push({
      sequence,
      revision: sequence.revision,
      changeTime: changed ? sequence.lastChangeTime : sequence.tick(),
      kind: write.kind,
      comment: write.comment,
      caller: write.caller,
      requestId: write.requestId ?? null,
      requestHash: hash ?? null,
      answer: stored,
    });
  }

  #fail(index: number, error: unknown): void {
    if (!(error instanceof DomainError)) throw error;
    this.#outcomes[index] = { error };
  }

  async #recallRequests(): Promise<void> {
    const writes = this.#members.filter(({ hash }) => hash !== undefined).map(({ write }) => write);
    if (writes.length === 0) return;
    const keys = writes.map(
      ({ sequence, caller, requestId }) =>
        [sequence.scope, sequence.elementType, caller, requestId!] as const,
    );
    for (const { index, requestHash, answer } of await findRequests(this.tx, keys))
      this.#remembered.set(requestKey(writes[index]!), { requestHash, answer });
  }

  /**
   * A sequence that was not there to be locked, and yet has an element: another transaction has made both since, and
   * what was read before may miss the request that did it.
   */
  #refuseTorn(): void {
    for (const [index, outcome] of this.#outcomes.entries())
      if (outcome?.error instanceof ElementExistsError && this.#queueOf[index]!.sequence.id === undefined)
        throw new DatabaseError('conflict', `${this.#queueOf[index]!.sequence.name} was made meanwhile`);
  }

  /** Writes the counters and the change rows. */
  #flush(): void {
    const touched = [...this.#queues.values()].filter(({ sequence }) => sequence.touched);
    if (touched.length === 0) return;
    updateSequences(
      this.tx,
      touched.map(({ sequence: { id, size, revision, orderRevision, lastChangeTime } }) => ({
        id: id!,
        size,
        revision,
        orderRevision,
        lastChangeTime,
      })),
    );
    insertChanges(
      this.tx,
      this.#changes.map(({ sequence, ...change }) => ({ ...change, sequenceId: sequence.id! })),
      this.token,
    );
  }
}

/** How many elements a write can renumber at most. */
function mostRenumbered(write: Write, size: number): number {
  switch (write.kind) {
    case 'generate':
      return isAppend(write) ? 0 : size;
    case 'move':
    case 'remove':
      return size;
    case 'reorder':
      return Math.min(size, write.newOrder.length);
    case 'batch_generate':
    case 'create_version':
      return 0;
  }
}

/** How many elements got another number, but for the one that the write is about. */
function renumberedBy(answer: Answer): number {
  if ('moved' in answer) return answer.moved.elementIds.length;
  const shifted = 'shifted' in answer ? answer.shifted : null;
  return shifted === null ? 0 : shifted.last - shifted.first + 1;
}

function postpone(queue: Queue): void {
  queue.postponed = true;
  queue.next = queue.members.length;
}

/** What a request id belongs to: a sequence and a caller. */
function requestKey({ sequence, caller, requestId }: Write): string {
  return `${sequenceKeyString(sequence)} ${requestId} ${caller}`;
}
