import { boneyards } from './boneyard.ts';
import { classify } from './classify.ts';
import type { BlockKind } from './model.ts';

/** What is one line, whatever stands above and below it. */
export const STANDING_ALONE: ReadonlySet<BlockKind> = new Set(['section', 'synopsis', 'pageBreak']);

/** Lines that stand together in the file. */
export interface RawBlock {
  readonly source: string;
  /** The line that it begins on, from 1. */
  readonly line: number;
  /** The number of blank lines before it. */
  readonly blank: number;
}

/**
 * Splits lines into blocks, at blank lines, as fountain-js does. Beyond that, what is commented out from the
 * beginning of a line to the end of one is a block, and so is each section, synopsis and page break that stands, line
 * by line, at the beginning of a block or right below a heading: the format wants no blank line around those.
 *
 * @param first the number of the first line
 */
export function splitBlocks(lines: readonly string[], first: number): RawBlock[] {
  const { own, joined } = commentedOut(lines);
  const blocks: RawBlock[] = [];
  let blank = 0;
  const push = (start: number, end: number) => {
    blocks.push({ source: lines.slice(start, end).join('\n'), line: first + start, blank });
    blank = 0;
  };
  for (let at = 0; at < lines.length; ) {
    const ownEnd = own.get(at);
    if (ownEnd !== undefined) {
      push(at, ownEnd);
      at = ownEnd;
    } else if (lines[at] === '') {
      blank++;
      at++;
    } else {
      let end = at + 1;
      while (end < lines.length && (joined.has(end) || (lines[end] !== '' && !own.has(end)))) end++;
      const bounds = standAlone(lines, at, end, joined);
      for (const [index, start] of bounds.entries()) push(start, bounds[index + 1] ?? end);
      at = end;
    }
  }
  return blocks;
}

/** Where the blocks in a run of lines begin. */
function standAlone(
  lines: readonly string[],
  start: number,
  end: number,
  joined: ReadonlySet<number>,
): number[] {
  const bounds = [start];
  for (let at = start; at + 1 < end && !joined.has(at + 1); at++) {
    if (!isMark(lines[at]!) && !(isMark(lines[at + 1]!) && classify(lines[at]!).kind === 'scene')) break;
    bounds.push(at + 1);
  }
  return bounds;
}

function isMark(line: string): boolean {
  return /^[ \t]{0,100}[#=]/.test(line) && STANDING_ALONE.has(classify(line).kind);
}

/** The blocks that are commented out as a whole, as start → end, and the lines that begin commented out. */
function commentedOut(lines: readonly string[]): { own: Map<number, number>; joined: Set<number> } {
  const text = lines.join('\n');
  const own = new Map<number, number>();
  const joined = new Set<number>();
  let line = 0;
  let lineStart = 0;
  const advanceTo = (offset: number) => {
    while (lineStart + lines[line]!.length < offset) lineStart += lines[line++]!.length + 1;
  };
  for (const span of boneyards(text)) {
    advanceTo(span.start);
    const from = line;
    const begins = lines[from]!.slice(0, span.start - lineStart).trim() === '' && !joined.has(from);
    advanceTo(span.end);
    const ends = span.end === lineStart + lines[line]!.length;
    if (begins && ends) own.set(from, line + 1);
    else for (let inside = from + 1; inside <= line; inside++) joined.add(inside);
  }
  return { own, joined };
}
