import fc from 'fast-check';
import { faultArbitrary } from './arbitrary-faults.ts';
import { AT, type Follower } from './harness.ts';

/** Of services that such steps are done to. */
export const ENV = {
  SYNC_CALL_TIMEOUT: '40ms',
  SYNC_SETTLE: '100ms',
  SYNC_MAX_ATTEMPTS: '2',
  SYNC_CONCURRENCY: '3',
};
export const TIMES = { minWaitMs: 2, maxWaitMs: 20, minOpenMs: 10, maxOpenMs: 20, windowMs: 200 };

/** Minutes; never ahead of the process's own clock, by which deadlines are reckoned. */
const clock = fc.integer({ min: -180, max: 0 });
const id = fc.integer({ min: 1, max: 9 });
/** Something that happens to a service, or to its index. */
export const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('generate' as const), id, first: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('batch' as const), from: id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('version' as const), id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('move' as const), id, to: id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reorder' as const), ids: fc.uniqueArray(id) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(25) }) },
  { weight: 5, arbitrary: faultArbitrary },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resync' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clock' as const), minutes: clock }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      kill: fc.boolean(),
      sends: fc.constantFrom('yes', 'yes', 'yes', 'worker off', 'no target'),
    }),
  },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** mulberry32 */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Does a step that is a call. */
export async function write({ client, sync }: Follower, one: Step): Promise<unknown> {
  switch (one.do) {
    case 'generate': {
      const target = one.first ? ({ case: 'first', value: true } as const) : undefined;
      return client.generate({ ...AT, elementId: BigInt(one.id), target: target ?? { case: undefined } });
    }
    case 'batch': {
      const items = [10, 20, 30].map((tens) => ({ elementId: BigInt(one.from + tens) }));
      return client.batchGenerate({ ...AT, items });
    }
    case 'version':
      return client.createVersion({ ...AT, elementId: BigInt(one.id), content: { n: `${Math.random()}` } });
    case 'move':
      return client.move({ ...AT, elementId: BigInt(one.id), target: { case: 'position', value: one.to } });
    case 'reorder':
      return client.reorder({ ...AT, newOrder: one.ids.map(BigInt) });
    case 'remove':
      return client.remove({ ...AT, elementId: BigInt(one.id) });
    case 'resync':
      return sync.resync({ scope: 'play' });
    case 'retry':
      return sync.retryParked({ all: true });
    default:
      throw new Error('not a write');
  }
}
