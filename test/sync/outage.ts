import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { MemoryClaims } from '../../src/sync/claims.ts';
import { LeasedClaims } from '../../src/sync/leased-claims.ts';
import { capabilities } from '../engines/index.ts';
import type { Fault, Matches } from '../support/typesense/faults.ts';
import {
  converged,
  type Double,
  dirty,
  type Follower,
  follow,
  generated,
  type Kind,
  startIndex,
  writeOfEveryKind,
} from './harness.ts';

/** Something that goes wrong with the index for a while. */
export interface Weather {
  readonly name: string;
  readonly begin: (double: Double) => unknown;
  /** Without it, every fault of the double ends. */
  readonly end?: (double: Double) => unknown;
  /** Whether nothing can be acknowledged meanwhile. */
  readonly total?: boolean;
  readonly only?: Kind;
  /** Of the service, beside its quick times. */
  readonly env?: Environment;
}

export const always = (fault: Fault, matches?: Matches) => (double: Double) =>
  double.faults.always(fault, matches);

/** How long the weather lasts after the writes. */
const LASTS_MS = 400;
/** What may be asked of the index, and looked up in the database, a second while it fails. */
const MAX_CALLS_PER_SECOND = 60;
const MAX_LOOKS_PER_SECOND = 150;
/** How long it is looked at that nothing goes on when all is well again. */
const PEACE_MS = 150;

/** What goes on, a second: calls as the double saw them, sends as the service counts them, looks at what is due. */
export async function activity({ app }: Follower, double: Double, forMs: number) {
  const Claims = capabilities.manyWriters ? LeasedClaims : MemoryClaims;
  const looks = vi.spyOn(Claims.prototype, 'take');
  const sends = async () => {
    const metric = await app.metrics.registry.getSingleMetric('sequence_sync_send_seconds')!.get();
    const count = metric.values.find((value) => String(Reflect.get(value, 'metricName')).endsWith('_count'));
    return count?.value ?? 0;
  };
  const [calls, sent] = [double.log.total, await sends()];
  await sleep(forMs);
  const perSecond = (count: number) => (count * 1000) / forMs;
  const result = {
    calls: perSecond(double.log.total - calls),
    sends: perSecond((await sends()) - sent),
    looks: perSecond(looks.mock.calls.length),
  };
  looks.mockRestore();
  return result;
}

/** The index and the database are left in peace while something fails. */
export async function noBusyLoop(follower: Follower, double: Double, forMs = LASTS_MS): Promise<void> {
  const { calls, sends, looks } = await activity(follower, double, forMs);
  expect(calls).toBeLessThan(MAX_CALLS_PER_SECOND);
  expect(sends).toBeLessThan(MAX_CALLS_PER_SECOND);
  expect(looks).toBeLessThan(MAX_LOOKS_PER_SECOND);
}

/** When all is acknowledged, nothing is sent any more, and the database is looked at no more than now and then. */
export async function atPeace(follower: Follower, double: Double): Promise<void> {
  const { looks, ...sent } = await activity(follower, double, PEACE_MS);
  expect(sent).toEqual({ calls: 0, sends: 0 });
  expect(looks).toBeLessThanOrEqual(6_000 / PEACE_MS);
}

/**
 * Writes of every kind before, in and after some weather: each write answers at once, the index is left in peace
 * meanwhile, and in the end it holds what the database implies, nothing parked.
 */
export async function endure(
  kind: Kind,
  { begin, end, total = true, env: more = {} }: Weather,
): Promise<void> {
  const { double, env } = await startIndex(kind);
  const follower = await follow({ ...env, ...more });
  await generated(follower, double, 1, 12);

  await begin(double);
  await writeOfEveryKind(follower, 100);
  await writeOfEveryKind(follower, 200);
  if (total) await noBusyLoop(follower, double);
  else await sleep(LASTS_MS);
  if (total) expect((await dirty(follower.file)).dirty).toBeGreaterThan(0);
  await (end ?? ((one) => one.faults.clear()))(double);
  await writeOfEveryKind(follower, 300);
  await converged(follower.file, double);
  await atPeace(follower, double);
  // What the index was asked while it failed may be applied now, within SYNC_SETTLE of the service's giving up.
  expect(double.server.applyHeld()).toBe(0);
}
