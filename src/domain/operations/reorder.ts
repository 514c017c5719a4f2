import { findAllNumbers, findElements, renumberElements } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementNotFoundError, TooManyRenumberedError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, Reorder } from '../writes.ts';

/** Lets the listed elements exchange the places that they hold: the first listed gets the lowest, and so on. */
export async function reorder(
  batch: BatchContext,
  sequence: LockedSequence,
  write: Reorder,
): Promise<Answers['reorder']> {
  const { newOrder, comment } = write;
  const places = await findListed(batch, sequence, newOrder);
  const missing = newOrder.filter((elementId) => !places.has(elementId));
  if (missing.length > 0) throw new ElementNotFoundError(sequence.name, missing);

  const held = newOrder.map((elementId) => places.get(elementId)!);
  const numbers = Int32Array.from(held).sort();
  const moved: Answers['reorder']['moved'] = [];
  newOrder.forEach((elementId, index) => {
    if (held[index] !== numbers[index]) moved.push([elementId, held[index]!, numbers[index]!]);
  });
  if (moved.length > batch.maxRenumber)
    throw new TooManyRenumberedError('elements', moved.length, batch.maxRenumber);
  if (moved.length === 0) return { ...sequence.revisions, comment, moved };

  const id = sequence.id!;
  const time = sequence.advance(true);
  renumberElements(
    batch.tx,
    id,
    moved.map(([elementId, , number]) => [elementId, number]),
    { revision: sequence.revision, time },
    batch.token,
  );
  return { ...sequence.revisions, comment, moved };
}

/** The numbers of the listed elements, and perhaps of more: of most of them, it is cheaper to read all than to look for each. */
async function findListed(
  { tx }: BatchContext,
  { id, size }: LockedSequence,
  elementIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (id === undefined) return new Map();
  if (elementIds.length > size / 2) return await findAllNumbers(tx, id);
  const found = await findElements(tx, id, elementIds);
  return new Map(found.map(({ elementId, sequenceNumber }) => [elementId, sequenceNumber]));
}
