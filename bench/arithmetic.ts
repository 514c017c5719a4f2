/** What a measurement that was repeated says. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** One for each round, in their order. */
  readonly values: readonly number[];
}

/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('nothing has no median');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that at least this share (0 to 1) of all values do not exceed. */
export function percentile(values: Float64Array | readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('nothing has no percentile');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

export function figureOf(values: readonly number[]): Figure {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values), values };
}

/** Round by round, so that what slowed both sides of a round cancels out. */
export function ratios(above: readonly number[], below: readonly number[]): Figure {
  if (above.length !== below.length) throw new RangeError('the sides have not run equally often');
  return figureOf(above.map((value, round) => value / below[round]!));
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('nothing has no mean');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
