import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Environment } from '../../src/config.ts';
import type { Fault, Matches } from '../support/typesense/faults.ts';
import {
  converged,
  type Double,
  dirty,
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

/** How long the weather lasts after the writes, and how many calls a second the index may be bothered with. */
const LASTS_MS = 400;
const MAX_CALLS_PER_SECOND = 60;

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
  const calls = double.log.total;
  await sleep(LASTS_MS);
  const perSecond = ((double.log.total - calls) * 1000) / LASTS_MS;
  if (total) expect(perSecond).toBeLessThan(MAX_CALLS_PER_SECOND);
  if (total) expect((await dirty(follower.file)).dirty).toBeGreaterThan(0);
  await (end ?? ((one) => one.faults.clear()))(double);
  await writeOfEveryKind(follower, 300);
  await converged(follower.file, double);
  // What the index was asked while it failed may be applied now, within SYNC_SETTLE of the service's giving up.
  expect(double.server.applyHeld()).toBe(0);
}
