import { markRange } from '../../db/queries/dirty-documents.ts';
import { findElements, moveElement } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementNotFoundError, PositionOutOfRangeError, TooManyRenumberedError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { ShiftedRange } from '../model.ts';
import type { Answers, Move } from '../writes.ts';

/** Takes one element to another place; those between shift by one. */
export async function move(
  batch: BatchContext,
  sequence: LockedSequence,
  write: Move,
): Promise<Answers['move']> {
  const { from, to } = await places(batch, sequence, write);
  if (from === to)
    return { ...sequence.revisions, oldSequenceNumber: from, newSequenceNumber: to, shifted: null };
  const renumbered = Math.abs(from - to) + 1;
  if (renumbered > batch.maxRenumber)
    throw new TooManyRenumberedError('elements', renumbered, batch.maxRenumber);

  const shifted: ShiftedRange =
    from < to ? { first: from + 1, last: to, by: -1 } : { first: to, last: from - 1, by: 1 };
  const id = sequence.id!;
  const time = sequence.advance(true);
  moveElement(batch.tx, id, { elementId: write.elementId, from, to, ...shifted });
  markRange(
    batch.tx,
    id,
    { first: Math.min(from, to), last: Math.max(from, to), revision: sequence.revision, time },
    batch.token,
  );
  return { ...sequence.revisions, oldSequenceNumber: from, newSequenceNumber: to, shifted };
}

/** The number that the element has, and the one that it is to have. */
async function places(
  batch: BatchContext,
  sequence: LockedSequence,
  { elementId, target }: Move,
): Promise<{ from: number; to: number }> {
  const relative = target.at === 'before' || target.at === 'after' ? target : undefined;
  const ids = relative ? [elementId, relative.elementId] : [elementId];
  const found = sequence.id === undefined ? [] : await findElements(batch.tx, sequence.id, ids);
  const missing = ids.filter((id) => !found.some((place) => place.elementId === id));
  if (missing.length > 0) throw new ElementNotFoundError(sequence.name, missing);

  const from = found.find((place) => place.elementId === elementId)!.sequenceNumber;
  if (relative) {
    const anchor = found.find((place) => place.elementId === relative.elementId)!.sequenceNumber;
    // The element leaves its place first: an anchor behind it closes up by one.
    const closedUp = from < anchor ? anchor - 1 : anchor;
    return { from, to: relative.at === 'before' ? closedUp : closedUp + 1 };
  }
  if (target.at === 'position') {
    if (target.position < 1 || target.position > sequence.size)
      throw new PositionOutOfRangeError(target.position, sequence.size);
    return { from, to: target.position };
  }
  return { from, to: target.at === 'first' ? 1 : sequence.size };
}
