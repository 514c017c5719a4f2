import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import type { AppOverrides } from '../../src/app.ts';
import type { Environment } from '../../src/config.ts';
import { ENGINE } from '../engines/index.ts';
import { type RunningApp, startAppOn } from '../support/app.ts';
import { type SequenceClient, sequenceClient } from '../support/clients.ts';
import { startTypesense } from '../support/typesense/start.ts';
import type { TypesenseDouble } from '../support/typesense/typesense-double.ts';
import type { ClientServiceDouble } from '../support/typesense-client/client-service-double.ts';
import { startClientService } from '../support/typesense-client/start.ts';
import { until } from '../support/until.ts';
import { all, heldDocuments, impliedDocuments } from './index-truth.ts';

export const COLLECTION = 'sequence_documents';
/** The sequence that most tests write to. */
export const AT = { scope: 'play', elementType: ElementType.SECTION };

/** Both ways to the index. */
export const KINDS = ['typesense', 'typesense-client'] as const;
export type Kind = (typeof KINDS)[number];
export type Double = TypesenseDouble | ClientServiceDouble;

/** The double of a target, and what makes the service send to it. */
export interface Index {
  readonly double: Double;
  readonly env: Environment;
}

export async function startIndex(kind: Kind): Promise<Index> {
  if (kind === 'typesense') {
    const double = await startTypesense();
    return { double, env: { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: double.apiKey } };
  }
  const double = await startClientService();
  return { double, env: { TYPESENSE_CLIENT_URL: double.url, TYPESENSE_SERVICE_API_KEY: 'client-key' } };
}

/** The service's times, a tenth to a hundredth of what ships, so that an outage fits into a second. */
export const QUICK_ENV = { SYNC_CALL_TIMEOUT: '150ms', SYNC_SETTLE: '300ms' };
export const QUICK: AppOverrides = {
  sync: { minWaitMs: 20, maxWaitMs: 300, minOpenMs: 60, maxOpenMs: 200, windowMs: 1_000 },
};

export type SyncClient = Client<typeof SyncService>;

/** A service that follows an index, with clients of both its services. */
export interface Follower extends RunningApp {
  readonly client: SequenceClient;
  readonly sync: SyncClient;
}

export function syncClient(url: string): SyncClient {
  return createClient(SyncService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
}

/** Where a database of the engine of this run is. */
export function databaseFile(): Promise<string> {
  return ENGINE.newPlace();
}

/** Starts the service with quick times; on a new file where none is given. */
export async function follow(
  env: Environment,
  overrides: AppOverrides = {},
  file?: string,
): Promise<Follower> {
  const app = await startAppOn(
    file ?? (await databaseFile()),
    { ...QUICK_ENV, LOG_LEVEL: process.env['LOG'] ?? 'silent', ...env },
    { ...QUICK, ...overrides },
  );
  return { ...app, client: sequenceClient(app.url), sync: syncClient(app.url) };
}

/** How many documents the index has not acknowledged, and how many of them are parked. */
export async function dirty(file: string): Promise<{ dirty: number; parked: number }> {
  const [row] = await all<{ dirty: number; parked: number }>(
    file,
    `SELECT count(*) AS dirty, count(*) FILTER (WHERE next_try_time = ${Number.MAX_SAFE_INTEGER}) AS parked
     FROM dirty_document`,
  );
  return row!;
}

/** Promise 5: nothing stays dirty, no resync is left, and the index holds exactly what the database implies. */
export async function converged(file: string, double: Double, limitMs = 8_000): Promise<void> {
  const quiet = async () => {
    const [row] = await all<{ open: number }>(
      file,
      `SELECT (SELECT count(*) FROM resync WHERE finish_time IS NULL) + (SELECT count(*) FROM dirty_document) AS open`,
    );
    return row!.open === 0;
  };
  await until('nothing is dirty', quiet, limitMs).catch(async (error) => {
    const rows = await all(file, 'SELECT * FROM dirty_document LIMIT 3');
    throw new Error(`${error.message}; ${JSON.stringify(rows)}`);
  });
  expect(heldDocuments(double.documents(COLLECTION))).toEqual(await impliedDocuments(file));
}

/** Puts elements first..last at the end, and waits for the index to have them. */
export async function generated(
  { client, file }: Follower,
  double: Double,
  first: number,
  last: number,
): Promise<void> {
  const items = Array.from({ length: last - first + 1 }, (_, index) => ({
    elementId: BigInt(first + index),
  }));
  await client.batchGenerate({ ...AT, items });
  await converged(file, double);
}

/** A write of every kind, on elements 1..10 and new ones from `fresh` on. What they take, bench/weather.ts measures. */
export async function writeOfEveryKind({ client }: Follower, fresh: number): Promise<void> {
  const id = (offset: number) => BigInt(fresh + offset);
  await client.generate({ ...AT, elementId: id(0), content: { name: `n${fresh}` } });
  await client.generate({ ...AT, elementId: id(1), target: { case: 'first', value: true } });
  await client.generate({ ...AT, elementId: id(2) });
  await client.createVersion({ ...AT, elementId: 3n, comment: `at ${fresh}` });
  await client.move({ ...AT, elementId: 4n, target: { case: 'first', value: true } });
  await client.reorder({ ...AT, newOrder: [9n, 6n, 7n] });
  await client.remove({ ...AT, elementId: id(2) });
  await client.remove({ ...AT, elementId: 5n });
  await client.generate({ ...AT, elementId: 5n, comment: 'anew' });
}
