import { longestIncreasing } from './increasing.ts';

/** What the service takes in one call. */
export const MAX_REORDERED = 10_000;
const MAX_BATCH = 1_000;
/** Well below the 4 MiB that a request may have. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

/** A call that brings a sequence nearer to its target. */
export type OrderStep =
  | { readonly kind: 'batch'; readonly ids: readonly number[] }
  | { readonly kind: 'insert' | 'move'; readonly id: number; readonly after: number | undefined }
  | { readonly kind: 'reorder'; readonly newOrder: readonly number[] };

/**
 * The fewest calls that bring a sequence from one order to another. Either each element is put in or moved right to
 * its place, which is best for a few; or the new ones go to the end, a thousand a call, and thousands exchange places.
 *
 * @param bytesOf the size of a new element; undefined for one that is there already
 */
export function stepsTo(
  current: readonly number[],
  target: readonly number[],
  bytesOf: (id: number) => number | undefined,
): OrderStep[] {
  const single = oneByOne(current, target, bytesOf);
  const fresh = target.filter((id) => bytesOf(id) !== undefined);
  const bulk = [...batches(fresh, bytesOf), ...reorders([...current, ...fresh], target)];
  return bulk.length < single.length ? bulk : single;
}

/** The number of elements that have to leave their place among the others. */
export function movedCount(current: readonly number[], target: readonly number[]): number {
  const placeOf = new Map(current.map((id, place) => [id, place]));
  return current.length - longestIncreasing(target.map((id) => placeOf.get(id) ?? Number.NaN)).length;
}

function oneByOne(
  current: readonly number[],
  target: readonly number[],
  bytesOf: (id: number) => number | undefined,
): OrderStep[] {
  const placeOf = new Map(current.map((id, place) => [id, place]));
  const staying = new Set(longestIncreasing(target.map((id) => placeOf.get(id) ?? Number.NaN)));
  const tail = target.findLastIndex((id) => bytesOf(id) === undefined) + 1;
  const steps = target.slice(0, tail).flatMap((id, at): OrderStep[] => {
    if (staying.has(at)) return [];
    return [{ kind: bytesOf(id) === undefined ? 'move' : 'insert', id, after: target[at - 1] }];
  });
  return [...steps, ...batches(target.slice(tail), bytesOf)];
}

function batches(ids: readonly number[], bytesOf: (id: number) => number | undefined): OrderStep[] {
  const steps: OrderStep[] = [];
  let batch: number[] = [];
  let bytes = 0;
  const flush = () => {
    if (batch.length > 0) steps.push({ kind: 'batch', ids: batch });
    batch = [];
    bytes = 0;
  };
  for (const id of ids) {
    const size = bytesOf(id) ?? 0;
    if (batch.length === MAX_BATCH || bytes + size > MAX_BATCH_BYTES) flush();
    batch.push(id);
    bytes += size;
  }
  flush();
  return steps;
}

/** Each call fills at least the next half of what one can list with what belongs there. */
function reorders(from: readonly number[], target: readonly number[]): OrderStep[] {
  const current = [...from];
  const placeOf = new Map(current.map((id, place) => [id, place]));
  const targetOf = new Map(target.map((id, place) => [id, place]));
  let wrong = target.flatMap((id, place) => (current[place] === id ? [] : [place]));
  const steps: OrderStep[] = [];
  while (wrong.length > 0) {
    const filled = wrong.slice(0, wrong.length <= MAX_REORDERED ? wrong.length : MAX_REORDERED / 2);
    const wanted = filled.map((place) => target[place]!);
    const coming = new Set(wanted);
    const leaving = filled
      .map((place) => current[place]!)
      .filter((id) => !coming.has(id))
      .sort((a, b) => targetOf.get(a)! - targetOf.get(b)!);
    const places = [...new Set([...filled, ...wanted.map((id) => placeOf.get(id)!)])].sort((a, b) => a - b);
    const newOrder = [...wanted, ...leaving];
    for (const [at, id] of newOrder.entries()) {
      current[places[at]!] = id;
      placeOf.set(id, places[at]!);
    }
    steps.push({ kind: 'reorder', newOrder });
    wrong = wrong.filter((place) => current[place] !== target[place]);
  }
  return steps;
}
