import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { compareAll } from '../../../bench/soak/truth.ts';
import { verifyDatabase } from '../../../src/db/database.ts';
import { placeOf } from '../../support/place.ts';
import { startTypesense } from '../../support/typesense/start.ts';
import { until } from '../../support/until.ts';
import { converged } from '../../sync/harness.ts';
import { Load } from './load.ts';
import { Replicas } from './replicas.ts';

/** Whether the long form runs. */
export const LONG = process.env['LONG'] === '1';
/** How long the weather is bad. */
export const STORM_MS = LONG ? 60_000 : 4_000;
/** Of a whole test: on a busy machine, processes take their time to start. */
export const LIMIT_MS = STORM_MS * 2 + 90_000;
/** After the database is back, each replica serves again within this. */
const BACK_MS = 5_000;
const CONVERGE_MS = 30_000;

/** A test of the weather. */
export interface Weather {
  /** The DATABASE_URL of the replicas. */
  readonly url: string;
  /** The DATABASE_URL that leads past what breaks, once the weather is over. */
  readonly place: () => string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether replicas are killed, so that connections to them break. */
  readonly kills?: boolean;
  /** Resolves when the database is there again. */
  blow(replicas: Replicas): Promise<void>;
}

/**
 * Three replicas under load, in good weather, then in bad, then in good. In the end every promise holds; each replica
 * served soon after.
 *
 * @returns what was refused, by code and reason
 */
export async function live(weather: Weather): Promise<ReadonlyMap<string, number>> {
  const double = await startTypesense();
  const replicas = await Replicas.start(3, {
    DATABASE_URL: weather.url,
    TYPESENSE_URL: double.url,
    TYPESENSE_API_KEY: double.apiKey,
    SYNC_CALL_TIMEOUT: '1s',
    SYNC_SETTLE: '2s',
    ...weather.env,
  });
  const load = new Load(replicas, { mayBreak: weather.kills === true });
  const running = load.run();
  const failed = running.then(() => new Promise<never>(() => {}));
  const during = <T>(part: Promise<T>) => Promise.race([part, failed]);

  const begun = performance.now();
  await during(until('every replica serves', () => load.servedSince(begun)));
  expect([...load.refused]).toEqual([]);
  await during(weather.blow(replicas));
  const over = performance.now();
  await during(until('every replica serves again', () => load.servedSince(over), BACK_MS)).catch((error) => {
    throw new Error(`${error.message}; refused: ${JSON.stringify([...load.refused])}`);
  });
  await during(sleep(500));
  load.stop();
  await running;
  expect(load.repeated).toBeGreaterThan(0);

  const place = weather.place();
  await load.settle(place);
  await converged(place, double, CONVERGE_MS);
  await compareAll(replicas, load.ledgers, double);
  expect((await verifyDatabase(placeOf(place))).violations).toEqual([]);
  for (const { index } of replicas.up) expect(await replicas.stop(index)).toBe(0);
  return load.refused;
}
