/** 1..n in a random order. */
export function shuffled(n: number): number[] {
  const order = Array.from({ length: n }, (_, index) => index + 1);
  for (let index = n - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  return order;
}
