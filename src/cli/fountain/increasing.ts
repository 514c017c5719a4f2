/**
 * The indexes of a longest strictly increasing subsequence; NaN is never a part of it. What is not in it is the least
 * that has to move for the rest to be in order.
 */
export function longestIncreasing(values: readonly number[]): number[] {
  const tails: number[] = [];
  const before: number[] = new Array(values.length);
  for (const [at, value] of values.entries()) {
    if (Number.isNaN(value)) continue;
    let low = 0;
    for (let high = tails.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (values[tails[middle]!]! < value) low = middle + 1;
      else high = middle;
    }
    before[at] = low === 0 ? -1 : tails[low - 1]!;
    tails[low] = at;
  }
  const found: number[] = [];
  for (let at = tails.at(-1) ?? -1; at !== -1; at = before[at]!) found.push(at);
  return found.reverse();
}
