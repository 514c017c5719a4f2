import { longestIncreasing } from './increasing.ts';

/** Which old one a new one is, by index; both sides at most once. */
export class Pairing {
  readonly #oldOf = new Map<number, number>();
  readonly #taken = new Set<number>();

  oldOf(fresh: number): number | undefined {
    return this.#oldOf.get(fresh);
  }

  isTaken(old: number): boolean {
    return this.#taken.has(old);
  }

  add(old: number, fresh: number): void {
    this.#oldOf.set(fresh, old);
    this.#taken.add(old);
  }
}

/** Two lists of indexes, which stand for the lists of which some are to be paired. */
export interface Sides {
  readonly old: readonly number[];
  readonly fresh: readonly number[];
}

/** More cells than this (16 MB) are not filled; what is left is for {@link pairAnywhere} then. */
const MAX_CELLS = 8_000_000;

/** Pairs what is equal and in the same order: as much as there is. */
export function pairInOrder(
  pairing: Pairing,
  sides: Sides,
  oldKeys: readonly string[],
  keys: readonly string[],
): void {
  const { old, fresh } = unpaired(pairing, sides);
  let start = 0;
  let oldEnd = old.length;
  let end = fresh.length;
  const equal = (i: number, j: number) => oldKeys[old[i]!] === keys[fresh[j]!];
  while (start < oldEnd && start < end && equal(start, start)) start++;
  while (oldEnd > start && end > start && equal(oldEnd - 1, end - 1)) {
    oldEnd--;
    end--;
    pairing.add(old[oldEnd]!, fresh[end]!);
  }
  for (let at = 0; at < start; at++) pairing.add(old[at]!, fresh[at]!);
  const rows = oldEnd - start;
  const columns = end - start;
  if (rows === 0 || columns === 0 || (rows + 1) * (columns + 1) > MAX_CELLS) return;
  const width = columns + 1;
  const lengths = new Uint16Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      lengths[i * width + j] = equal(start + i, start + j)
        ? lengths[(i + 1) * width + j + 1]! + 1
        : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (equal(start + i, start + j)) pairing.add(old[start + i++]!, fresh[start + j++]!);
    else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++;
    else j++;
  }
}

/** Pairs what is equal, wherever it stands: the first with the first. */
export function pairAnywhere(
  pairing: Pairing,
  sides: Sides,
  oldKeys: readonly string[],
  keys: readonly string[],
): void {
  const { old, fresh } = unpaired(pairing, sides);
  const waiting = Map.groupBy(old.toReversed(), (at) => oldKeys[at]!);
  for (const at of fresh) {
    const found = waiting.get(keys[at]!)?.pop();
    if (found !== undefined) pairing.add(found, at);
  }
}

/** How alike two are, from 0; what is 0 is not paired. */
export type Likeness = (old: number, fresh: number) => number;

/** A gap may have this many possible pairs to be looked at. */
const MAX_PAIRS = 10_000;

/** Pairs what stands between the same neighbours, the most alike first. */
export function pairInGaps(pairing: Pairing, sides: Sides, likeness: Likeness): void {
  for (const gap of gapsOf(pairing, sides)) {
    if (gap.old.length * gap.fresh.length > MAX_PAIRS) continue;
    const pairs = gap.old.flatMap((old) =>
      gap.fresh.flatMap((fresh) => {
        const alike = likeness(old, fresh);
        return alike > 0 ? [{ old, fresh, alike }] : [];
      }),
    );
    for (const { old, fresh } of pairs.sort((a, b) => b.alike - a.alike))
      if (!pairing.isTaken(old) && pairing.oldOf(fresh) === undefined) pairing.add(old, fresh);
  }
}

/** Pairs what stands between the same neighbours and has the same key, the first with the first. */
export function pairRest(
  pairing: Pairing,
  sides: Sides,
  oldKeys: readonly string[],
  keys: readonly string[],
): void {
  for (const gap of gapsOf(pairing, sides)) pairAnywhere(pairing, gap, oldKeys, keys);
}

/** What is left between neighbours that are paired with neighbours. */
function gapsOf(pairing: Pairing, { old, fresh }: Sides): Sides[] {
  const placeOf = new Map(old.map((index, place) => [index, place]));
  const anchors = longestIncreasing(fresh.map((at) => placeOf.get(pairing.oldOf(at) ?? -1) ?? Number.NaN));
  const gaps: Sides[] = [];
  let oldStart = 0;
  let start = 0;
  for (const anchor of [...anchors, fresh.length]) {
    const oldEnd = placeOf.get(pairing.oldOf(fresh[anchor] ?? -1) ?? -1) ?? old.length;
    const gap = unpaired(pairing, { old: old.slice(oldStart, oldEnd), fresh: fresh.slice(start, anchor) });
    if (gap.old.length > 0 && gap.fresh.length > 0) gaps.push(gap);
    oldStart = oldEnd + 1;
    start = anchor + 1;
  }
  return gaps;
}

function unpaired(pairing: Pairing, { old, fresh }: Sides): Sides {
  return {
    old: old.filter((at) => !pairing.isTaken(at)),
    fresh: fresh.filter((at) => pairing.oldOf(at) === undefined),
  };
}
