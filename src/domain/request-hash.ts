import { createHash } from 'node:crypto';
import type { Target } from './model.ts';
import type { Write } from './writes.ts';

/**
 * SHA-256 of a validated write in canonical form, hexadecimal: what "the same request" means. The request id
 * and the caller are the key it is looked up by, so they are left out; an unset field and its default are the
 * same. Content is canonical JSON already, so that its keys' order does not matter.
 */
export function requestHash(write: Write): string {
  return createHash('sha256')
    .update(JSON.stringify(canonical(write)))
    .digest('hex');
}

function canonical(write: Write): unknown[] {
  const head = [write.kind, write.sequence.scope, write.sequence.elementType, write.comment];
  switch (write.kind) {
    case 'generate':
      return [
        ...head,
        write.elementId,
        write.content,
        canonicalTarget(write.target),
        write.expectedRevision ?? null,
      ];
    case 'batch_generate':
      return [
        ...head,
        write.items.map(({ elementId, comment, content }) => [elementId, comment, content]),
        write.expectedRevision ?? null,
      ];
    case 'reorder':
      return [...head, write.newOrder, write.expectedRevision ?? null];
    case 'move':
      return [...head, write.elementId, canonicalTarget(write.target), write.expectedRevision ?? null];
    case 'create_version':
      return [...head, write.elementId, write.content, write.expectedVersion ?? null];
    case 'remove':
      return [...head, write.elementId, write.expectedRevision ?? null];
  }
}

function canonicalTarget(target: Target | undefined): unknown[] | null {
  if (target === undefined) return null;
  if (target.at === 'position') return [target.at, target.position];
  if (target.at === 'before' || target.at === 'after') return [target.at, target.elementId];
  return [target.at];
}
