import fc from 'fast-check';
import { cases } from './cases.ts';
import { Twins } from './twins.ts';

/** What a run has seen. */
export interface Tally {
  readonly cases: number;
  /** RPCs that reached a handler, and those of them that the lane answered. */
  readonly requests: number;
  readonly taken: number;
  /** Replies by HTTP status. */
  readonly statuses: Readonly<Record<string, number>>;
}

/**
 * Sends so many generated cases to a service with the lane and to one without, and compares all that comes back.
 *
 * @throws Error with the case and both answers, at the first that differ without being meant to
 */
export async function fuzz(count: number, seed: number, onCase: () => void = () => {}): Promise<Tally> {
  const twins = await Twins.start();
  const statuses: Record<string, number> = {};
  const property = fc.asyncProperty(cases, async (one) => {
    for (const { status } of await twins.compare(one)) statuses[status] = (statuses[status] ?? 0) + 1;
    onCase();
  });
  // A smaller case would meet another state: the answers depend on all that was sent before.
  await fc.assert(property, { numRuns: count, seed, endOnFailure: true });
  return { cases: count, statuses, ...(await twins.finish()) };
}
