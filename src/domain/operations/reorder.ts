import { findAllNumbers, findElements, renumberElements } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementNotFoundError, TooManyRenumberedError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, MovedElements, Reorder } from '../writes.ts';

/** Lets the listed elements exchange the places that they hold: the first listed gets the lowest, and so on. */
export async function reorder(
  batch: BatchContext,
  sequence: LockedSequence,
  write: Reorder,
): Promise<Answers['reorder']> {
  const { newOrder, comment } = write;
  const found = await findListed(batch, sequence, newOrder);
  if (found.includes(undefined)) {
    const missing = newOrder.filter((_, index) => found[index] === undefined);
    throw new ElementNotFoundError(sequence.name, missing);
  }

  const held = found as readonly number[];
  const numbers = Int32Array.from(held).sort();
  const moved: MovedElements = { elementIds: [], oldNumbers: [], newNumbers: [] };
  newOrder.forEach((elementId, index) => {
    if (held[index] === numbers[index]) return;
    moved.elementIds.push(elementId);
    moved.oldNumbers.push(held[index]!);
    moved.newNumbers.push(numbers[index]!);
  });
  const { elementIds, newNumbers } = moved;
  if (elementIds.length > batch.maxRenumber)
    throw new TooManyRenumberedError('elements', elementIds.length, batch.maxRenumber);
  if (elementIds.length === 0) return { ...sequence.revisions, comment, moved };

  const id = sequence.id!;
  const time = sequence.advance(true);
  renumberElements(
    batch.tx,
    id,
    { ids: elementIds, numbers: newNumbers },
    { revision: sequence.revision, time },
    batch.token,
  );
  return { ...sequence.revisions, comment, moved };
}

/**
 * The number of each listed element, undefined where it does not exist. Of most of the sequence's elements, it is
 * cheaper to read all than to look for each.
 */
async function findListed(
  { tx }: BatchContext,
  { id, size }: LockedSequence,
  elementIds: readonly number[],
): Promise<(number | undefined)[]> {
  if (id === undefined) return elementIds.map(() => undefined);
  if (elementIds.length > size / 2) {
    const { ids, numbers } = await findAllNumbers(tx, id);
    // A Map of thousands takes several times as long to make.
    return elementIds.map((elementId) => numbers[indexIn(ids, elementId)]);
  }
  const rows = await findElements(tx, id, elementIds);
  const places = new Map(rows.map(({ elementId, sequenceNumber }) => [elementId, sequenceNumber]));
  return elementIds.map((elementId) => places.get(elementId));
}

/** Where an id stands among ascending ones, or -1. */
function indexIn(ids: readonly number[], id: number): number {
  let first = 0;
  let behind = ids.length;
  while (first < behind) {
    const middle = (first + behind) >>> 1;
    if (ids[middle]! < id) first = middle + 1;
    else behind = middle;
  }
  return ids[first] === id ? first : -1;
}
