import { markDocuments } from '../../db/queries/dirty-documents.ts';
import { findAllElements, findElements, type Place, renumberElements } from '../../db/queries/elements.ts';
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
  const found = await findListed(batch, sequence, newOrder);
  const places = new Map(found.map((place) => [place.elementId, place]));
  const missing = newOrder.filter((elementId) => !places.has(elementId));
  if (missing.length > 0) throw new ElementNotFoundError(sequence.name, missing);

  const numbers = found.map(({ sequenceNumber }) => sequenceNumber).sort((a, b) => a - b);
  const moved: Answers['reorder']['moved'] = [];
  newOrder.forEach((elementId, index) => {
    const { sequenceNumber } = places.get(elementId)!;
    if (sequenceNumber !== numbers[index]) moved.push([elementId, sequenceNumber, numbers[index]!]);
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
  );
  markDocuments(
    batch.tx,
    moved.map(([elementId]) => [
      id,
      elementId,
      places.get(elementId)!.versionNumber,
      sequence.revision,
      time,
    ]),
    batch.token,
  );
  return { ...sequence.revisions, comment, moved };
}

/** Of a list of most of them, it is cheaper to read all than to look for each. */
async function findListed(
  { tx }: BatchContext,
  { id, size }: LockedSequence,
  elementIds: readonly number[],
): Promise<Place[]> {
  if (id === undefined) return [];
  if (elementIds.length <= size / 2) return await findElements(tx, id, elementIds);
  const listed = new Set(elementIds);
  return (await findAllElements(tx, id)).filter(({ elementId }) => listed.has(elementId));
}
