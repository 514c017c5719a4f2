import type { BatchContext } from '../batch-context.ts';
import type { LockedSequence } from '../locked-sequence.ts';
import type { Answer, Write } from '../writes.ts';
import { batchGenerate } from './batch-generate.ts';
import { createVersion } from './create-version.ts';
import { insert } from './insert.ts';
import { move } from './move.ts';
import { remove } from './remove.ts';
import { reorder } from './reorder.ts';

/**
 * Runs one write on a locked sequence: reads, judges, then writes.
 *
 * @throws DomainError where the write breaks a rule; nothing has been written then
 * @throws DatabaseError
 */
export function applyWrite(batch: BatchContext, sequence: LockedSequence, write: Write): Promise<Answer> {
  switch (write.kind) {
    case 'generate':
      return insert(batch, sequence, write);
    case 'batch_generate':
      return batchGenerate(batch, sequence, write);
    case 'reorder':
      return reorder(batch, sequence, write);
    case 'move':
      return move(batch, sequence, write);
    case 'create_version':
      return createVersion(batch, sequence, write);
    case 'remove':
      return remove(batch, sequence, write);
  }
}
