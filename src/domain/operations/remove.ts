import { markRange, markVersions } from '../../db/queries/dirty-documents.ts';
import { deleteElement, findElements, shiftElements } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementNotFoundError, TooManyRenumberedError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { ShiftedRange } from '../model.ts';
import type { Answers, Remove } from '../writes.ts';

/** Takes an element and all its versions out; those behind close up. */
export async function remove(
  batch: BatchContext,
  sequence: LockedSequence,
  { elementId }: Remove,
): Promise<Answers['remove']> {
  const [place] = sequence.id === undefined ? [] : await findElements(batch.tx, sequence.id, [elementId]);
  if (place === undefined) throw new ElementNotFoundError(sequence.name, [elementId]);
  const { sequenceNumber, versionNumber } = place;
  const behind = sequence.size - sequenceNumber;
  if (behind > batch.maxRenumber) throw new TooManyRenumberedError('elements', behind, batch.maxRenumber);
  if (versionNumber > batch.maxRenumber)
    throw new TooManyRenumberedError('versions', versionNumber, batch.maxRenumber);

  const id = sequence.id!;
  const time = sequence.advance(true);
  const { revision } = sequence;
  const shifted: ShiftedRange | null =
    behind === 0 ? null : { first: sequenceNumber + 1, last: sequence.size, by: -1 };
  markVersions(batch.tx, id, { elementId, versionNumber, revision, time }, batch.token);
  deleteElement(batch.tx, id, elementId);
  sequence.size -= 1;
  if (shifted) {
    shiftElements(batch.tx, id, shifted);
    markRange(batch.tx, id, { first: sequenceNumber, last: sequence.size, revision, time }, batch.token);
  }
  return { ...sequence.revisions, oldSequenceNumber: sequenceNumber, shifted };
}
