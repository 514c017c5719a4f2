import { markRange } from '../../db/queries/dirty-documents.ts';
import { findElements, insertElements, shiftElements } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import {
  ElementExistsError,
  ElementNotFoundError,
  PositionOutOfRangeError,
  TooManyRenumberedError,
} from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, Generate } from '../writes.ts';

/** Puts a new element at a target other than the end; those behind move up by one. */
export async function insert(
  batch: BatchContext,
  sequence: LockedSequence,
  write: Generate,
): Promise<Answers['generate']> {
  const { elementId, comment, content } = write;
  const number = await numberFor(batch, sequence, write);
  const behind = sequence.size - number + 1;
  if (behind > batch.maxRenumber) throw new TooManyRenumberedError('elements', behind, batch.maxRenumber);

  const id = await batch.sequenceId(sequence);
  const time = sequence.advance(true);
  if (behind > 0) shiftElements(batch.tx, id, { first: number, last: sequence.size, by: 1 });
  sequence.size += 1;
  insertElements(batch.tx, [[id, elementId, number, time, comment, content]]);
  markRange(
    batch.tx,
    id,
    { first: number, last: sequence.size, revision: sequence.revision, time },
    batch.token,
  );
  return {
    ...sequence.revisions,
    element: {
      elementId,
      sequenceNumber: number,
      versionNumber: 1,
      comment,
      createTime: time,
      updateTime: time,
    },
  };
}

async function numberFor(batch: BatchContext, sequence: LockedSequence, write: Generate): Promise<number> {
  const { elementId, target } = write;
  const relative = target?.at === 'before' || target?.at === 'after' ? target : undefined;
  const ids = relative ? [elementId, relative.elementId] : [elementId];
  const places = sequence.id === undefined ? [] : await findElements(batch.tx, sequence.id, ids);
  const existing = places.find((place) => place.elementId === elementId);
  if (existing) throw new ElementExistsError(sequence.name, [existing]);
  if (relative) {
    const [place] = places;
    if (place === undefined) throw new ElementNotFoundError(sequence.name, [relative.elementId]);
    return relative.at === 'before' ? place.sequenceNumber : place.sequenceNumber + 1;
  }
  if (target?.at === 'position') {
    if (target.position < 1 || target.position > sequence.size + 1)
      throw new PositionOutOfRangeError(target.position, sequence.size + 1);
    return target.position;
  }
  return target?.at === 'first' ? 1 : sequence.size + 1;
}
