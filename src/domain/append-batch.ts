import { type AppendBase, appendElements, findAppended } from '../db/queries/append.ts';
import type { WriteTransaction } from '../db/transaction.ts';
import type { BatchMember, Outcome } from './batch.ts';
import type { BatchOptions } from './batch-context.ts';
import { isAppend } from './operations/append.ts';
import type { Generate } from './writes.ts';

/**
 * Whether a batch is nothing but Generates at the end of one sequence, of which none has to be judged: there the
 * locked counter and the unique constraints decide, and one statement does it all.
 */
export function isAppendBatch(members: readonly BatchMember[]): boolean {
  const [first] = members;
  if (first === undefined) return false;
  const { scope, elementType } = first.write.sequence;
  const ids = new Set<number>();
  for (const { write, hash } of members) {
    if (hash !== undefined || !isAppend(write)) return false;
    const { sequence, elementId, expectedRevision } = write as Generate;
    if (expectedRevision !== undefined || sequence.scope !== scope || sequence.elementType !== elementType)
      return false;
    ids.add(elementId);
  }
  return ids.size === members.length;
}

/**
 * Runs such a batch. Optimistic: where an element exists already, the database refuses the batch.
 *
 * @returns the outcome of each member; undefined where the sequence was never used, and nothing is written
 * @throws DatabaseError
 */
export async function appendBatch(
  tx: WriteTransaction,
  members: readonly BatchMember[],
  { now, token }: BatchOptions,
): Promise<Outcome[] | undefined> {
  const rows = members.map(({ write }) => {
    const { elementId, comment, content, caller } = write as Generate;
    return [elementId, comment, content, caller] as const;
  });
  const base = await appendElements(tx, keyOf(members), rows, now(), token);
  return base && outcomesOf(members, base);
}

/**
 * The outcomes of such a batch whose answer was lost. The caller holds the lock of its sequence.
 *
 * @returns undefined where it was not committed; `moved on` where the order has changed since, and nobody can tell
 */
export async function appendedBatch(
  tx: WriteTransaction,
  members: readonly BatchMember[],
  token: string,
): Promise<Outcome[] | 'moved on' | undefined> {
  const base = await findAppended(tx, keyOf(members), token);
  return base === undefined || base === 'moved on' ? base : outcomesOf(members, base);
}

function keyOf(members: readonly BatchMember[]) {
  const { scope, elementType } = members[0]!.write.sequence;
  return [scope, elementType] as const;
}

function outcomesOf(members: readonly BatchMember[], base: AppendBase): Outcome[] {
  return members.map(({ write }, index) => {
    const { elementId, comment } = write as Generate;
    const step = index + 1;
    const time = base.time + step;
    return {
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
  });
}
