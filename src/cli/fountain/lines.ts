import { longestIncreasing } from './increasing.ts';

/** A block of a scene, as it is given its `line`. */
export interface Lined {
  /** Where it stands in the file, counted from its heading. */
  readonly inFile: number;
  /** The line that it has in the service, if it was in this scene already. */
  readonly held: number | undefined;
}

/**
 * The lines of the blocks of one scene, in their order, strictly increasing. Who has one keeps it wherever that fits,
 * so that an insertion changes nothing around it; who comes in between gets a fraction.
 */
export function assignLines(blocks: readonly Lined[]): number[] {
  const held = blocks.map((block) => block.held ?? Number.NaN);
  const kept = longestIncreasing(held);
  const lines: number[] = [];
  let low = 0;
  let lowInFile = 0;
  for (const anchor of [...kept, blocks.length]) {
    const high = held[anchor] ?? Number.POSITIVE_INFINITY;
    const run = blocks.slice(lines.length, anchor).map(({ inFile }) => inFile);
    lines.push(...between(run, low, high, lowInFile));
    if (anchor < blocks.length) lines.push(high);
    low = high;
    lowInFile = blocks[anchor]?.inFile ?? 0;
  }
  const rising = lines.every((line, at) => line > (lines[at - 1] ?? 0));
  // No room is left between two neighbours after some fifty insertions at one place.
  return rising ? lines : blocks.map(({ inFile }) => inFile);
}

function between(inFile: readonly number[], low: number, high: number, lowInFile: number): number[] {
  const first = inFile[0];
  if (first === undefined) return [];
  if (first > low && inFile.at(-1)! < high) return [...inFile];
  if (high === Number.POSITIVE_INFINITY) return inFile.map((line) => low + line - lowInFile);
  return inFile.map((_, at) => low + ((high - low) * (at + 1)) / (inFile.length + 1));
}
