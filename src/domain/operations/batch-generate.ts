import { markDocuments } from '../../db/queries/dirty-documents.ts';
import { findElements, insertElements, type Place } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementExistsError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, BatchGenerate } from '../writes.ts';

/** Puts elements at the end in the order given: one change, one revision, all or none. */
export async function batchGenerate(
  batch: BatchContext,
  sequence: LockedSequence,
  write: BatchGenerate,
): Promise<Answers['batch_generate']> {
  const existing = sequence.id === undefined ? [] : await findElements(batch.tx, sequence.id, idsOf(write));
  if (existing.length > 0) throw new ElementExistsError(sequence.name, inRequestOrder(existing, write));

  const id = await batch.sequenceId(sequence);
  const time = sequence.advance(true);
  const elements = write.items.map(({ elementId, comment }) => {
    sequence.size += 1;
    return {
      elementId,
      sequenceNumber: sequence.size,
      versionNumber: 1,
      comment,
      createTime: time,
      updateTime: time,
    };
  });
  insertElements(
    batch.tx,
    elements.map(({ elementId, sequenceNumber, comment }, index) => [
      id,
      elementId,
      sequenceNumber,
      time,
      comment,
      write.items[index]!.content,
    ]),
  );
  markDocuments(
    batch.tx,
    elements.map(({ elementId }) => [id, elementId, 1, sequence.revision, time]),
    batch.token,
  );
  return { ...sequence.revisions, elements };
}

function idsOf(write: BatchGenerate): number[] {
  return write.items.map(({ elementId }) => elementId);
}

function inRequestOrder(places: readonly Place[], write: BatchGenerate): Place[] {
  const order = new Map(idsOf(write).map((elementId, index) => [elementId, index]));
  return places.toSorted((a, b) => order.get(a.elementId)! - order.get(b.elementId)!);
}
