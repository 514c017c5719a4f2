import { onTestFinished } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { startWriter } from '../domain/harness.ts';
import { placeOf } from '../support/place.ts';

/** What writes, in one replica of several. */
export type Replica = ReturnType<typeof startWriter> & { readonly database: Database };

/** Opens a database as a replica does, with its writer; both end with the test. */
export async function startReplica(
  place: string,
  options: Parameters<typeof startWriter>[1] & { lockTimeoutMs?: number } = {},
): Promise<Replica> {
  const { lockTimeoutMs, ...rest } = options;
  const config = placeOf(place);
  const database = await openDatabase({ ...config, ...(lockTimeoutMs ? { lockTimeoutMs } : {}) });
  onTestFinished(() => database.close());
  return { database, ...startWriter(database.writer, { lanes: database.lanes, ...rest }) };
}
