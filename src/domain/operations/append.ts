import { markDocuments } from '../../db/queries/dirty-documents.ts';
import { insertElements } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementExistsError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, Generate, Write } from '../writes.ts';

/** A Generate at the end, judged but not yet written. */
export interface Append {
  readonly sequence: LockedSequence;
  readonly content: string | null;
  readonly answer: Answers['generate'];
}

/** Whether a write is a Generate at the end, which may share a run with its neighbours. */
export function isAppend(write: Write): boolean {
  return write.kind === 'generate' && (write.target === undefined || write.target.at === 'last');
}

/**
 * Gives the element the number behind the last one.
 * @param existing the number that the element has already, if it has one
 * @throws ElementExistsError
 */
export function judgeAppend(sequence: LockedSequence, write: Generate, existing: number | undefined): Append {
  const { elementId, comment, content } = write;
  if (existing !== undefined)
    throw new ElementExistsError(sequence.name, [{ elementId, sequenceNumber: existing }]);
  const time = sequence.advance(true);
  sequence.size += 1;
  return {
    sequence,
    content,
    answer: {
      revision: sequence.revision,
      orderRevision: sequence.orderRevision,
      element: {
        elementId,
        sequenceNumber: sequence.size,
        versionNumber: 1,
        comment,
        createTime: time,
        updateTime: time,
      },
    },
  };
}

/** Writes judged Generates and the marks of their documents as one set. */
export async function writeAppends(batch: BatchContext, appends: readonly Append[]): Promise<void> {
  if (appends.length === 0) return;
  for (const { sequence } of appends) if (sequence.id === undefined) await batch.sequenceId(sequence);
  insertElements(
    batch.tx,
    appends.map(({ sequence, content, answer: { element } }) => [
      sequence.id!,
      element.elementId,
      element.sequenceNumber,
      element.createTime,
      element.comment,
      content,
    ]),
  );
  markDocuments(
    batch.tx,
    appends.map(({ sequence, answer: { element, revision } }) => [
      sequence.id!,
      element.elementId,
      1,
      revision,
      element.createTime,
    ]),
    batch.token,
  );
}
