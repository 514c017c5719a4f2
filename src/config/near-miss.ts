/** Finds the variable that somebody meant who wrote almost its name. */

/** What stands in nearly every environment, and is nobody's slip. */
const USUAL = ['LANG'];

/**
 * The name in `known` that `name` nearly is: written in other letters' case, or up to two edits away (one for names
 * under eight letters, else HOME would be taken for HOST), its first three letters being right.
 */
export function nearMiss(name: string, known: readonly string[]): string | undefined {
  if (USUAL.includes(name)) return undefined;
  const upper = name.toUpperCase();
  return known.find((candidate) => {
    if (candidate === name || candidate.slice(0, 3) !== upper.slice(0, 3)) return false;
    const limit = candidate.length < 8 ? 1 : 2;
    return Math.abs(candidate.length - upper.length) <= limit && editDistance(upper, candidate) <= limit;
  });
}

/** Levenshtein: insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, replaced));
    }
    previous = row;
  }
  return previous[b.length]!;
}
