import type { StoredBlock, StoredElement } from './content.ts';
import { longestIncreasing } from './increasing.ts';
import type { BlockType } from './model.ts';

/** A block as the service holds it. */
export interface PlacedBlock extends StoredBlock {
  readonly type: BlockType;
  readonly element: StoredElement;
}

/** The blocks of each type, in the order of their sequences. */
export type BlocksByType = Readonly<Record<BlockType, readonly PlacedBlock[]>>;

/**
 * Puts the blocks into the order of the file: sections as in their sequence; below each the blocks that name it as
 * their scene, those of a type as in their sequence, the types among each other by `line`.
 *
 * @returns the blocks, and those whose scene is not there
 */
export function arrange(blocks: BlocksByType): { ordered: PlacedBlock[]; astray: PlacedBlock[] } {
  const actions = Map.groupBy(blocks.action, ({ scene }) => scene);
  const speeches = Map.groupBy(blocks.spokenWord, ({ scene }) => scene);
  const below = (scene: number) => interleave(actions.get(scene) ?? [], speeches.get(scene) ?? []);
  const known = new Set([0, ...blocks.section.map(({ element }) => element.id)]);
  return {
    ordered: [...below(0), ...blocks.section.flatMap((section) => [section, ...below(section.element.id)])],
    astray: [...blocks.action, ...blocks.spokenWord].filter(({ scene }) => !known.has(scene)),
  };
}

/** Merges two lists by their lines, each staying in its own order. */
function interleave(one: readonly PlacedBlock[], other: readonly PlacedBlock[]): PlacedBlock[] {
  const left = risingLines(one);
  const right = risingLines(other);
  const merged: PlacedBlock[] = [];
  for (let i = 0, j = 0; i < one.length || j < other.length; ) {
    if (j === other.length || (i < one.length && left[i]! <= right[j]!)) merged.push(one[i++]!);
    else merged.push(other[j++]!);
  }
  return merged;
}

/** Their lines; one that was moved in its sequence since has the line of the one before it, or else behind it. */
function risingLines(blocks: readonly PlacedBlock[]): number[] {
  const lines = blocks.map(({ line }) => line);
  const trusted = longestIncreasing(lines);
  let last = lines[trusted[0] ?? 0] ?? 0;
  const stands = new Set(trusted);
  return lines.map((line, at) => {
    if (stands.has(at)) last = line;
    return last;
  });
}
