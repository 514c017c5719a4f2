import { markDocuments } from '../../db/queries/dirty-documents.ts';
import { findElements, replaceVersion } from '../../db/queries/elements.ts';
import type { BatchContext } from '../batch-context.ts';
import { ElementNotFoundError, VersionMismatchError } from '../errors.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answers, CreateVersion } from '../writes.ts';

/** Gives an element its next version. Two documents follow: the replaced version's and the new one's. */
export async function createVersion(
  batch: BatchContext,
  sequence: LockedSequence,
  write: CreateVersion,
): Promise<Answers['create_version']> {
  const { elementId, comment, content, expectedVersion } = write;
  const [place] = sequence.id === undefined ? [] : await findElements(batch.tx, sequence.id, [elementId]);
  if (place === undefined) throw new ElementNotFoundError(sequence.name, [elementId]);
  if (expectedVersion !== undefined && expectedVersion !== place.versionNumber)
    throw new VersionMismatchError(expectedVersion, place.versionNumber);

  const id = sequence.id!;
  const time = sequence.advance(false);
  const versionNumber = place.versionNumber + 1;
  replaceVersion(batch.tx, id, { elementId, time, comment, content });
  markDocuments(
    batch.tx,
    [
      [id, elementId, place.versionNumber, sequence.revision, time],
      [id, elementId, versionNumber, sequence.revision, time],
    ],
    batch.token,
  );
  return { ...sequence.revisions, versionNumber, comment, sequenceNumber: place.sequenceNumber };
}
