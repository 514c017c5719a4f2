import { sourceOf } from './compose.ts';
import type { BlockKind, Body, ScriptBody } from './model.ts';
import { STANDING_ALONE } from './split.ts';
import { titlePageSource } from './title-page.ts';

/** Writes a screenplay as the text of a file in its normal form. */
export function writeFountain(script: ScriptBody, bodies: Iterable<Body>): string {
  const pieces: string[] = [];
  const title = titlePageSource(script);
  if (title !== '') pieces.push(title);
  let before: BlockKind | 'title' | undefined = title === '' ? undefined : 'title';
  for (const body of bodies) {
    if (before !== undefined) pieces.push('\n'.repeat(1 + blankLines(before, body)));
    pieces.push(sourceOf(body));
    before = body.kind;
  }
  return `${pieces.join('')}\n`;
}

/** At least one, but where blocks stand apart without: two others that have come to touch must not become one. */
function blankLines(before: BlockKind | 'title', { kind, blank = 1 }: Body): number {
  return mayTouch(before, kind) ? blank : Math.max(1, blank);
}

function mayTouch(before: BlockKind | 'title', kind: BlockKind): boolean {
  if (before === 'title' || before === 'boneyard' || kind === 'boneyard') return true;
  return STANDING_ALONE.has(before) || (before === 'scene' && STANDING_ALONE.has(kind));
}
