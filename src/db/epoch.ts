import { createResync, nextGeneration } from './queries/resync.ts';
import { saveTarget, UNKNOWN_TARGET } from './queries/sync.ts';
import type { WriteConnection } from './transaction.ts';

const TIMEOUT_MS = 30_000;

/**
 * Notes that a database is not the continuation of what the search index was sent: it was restored. The service sends
 * everything anew under a generation that the index has not seen, and deletes what is left of the others.
 *
 * That generation is the seconds of the clock where those are more than the database knows of: a database that is
 * older than the index cannot know which generations the index has seen since.
 *
 * @param now milliseconds since the epoch
 * @returns the generation
 */
export async function beginEpoch(connection: WriteConnection, now: number): Promise<number> {
  return await connection.transaction(async (tx) => {
    const generation = Math.max(await nextGeneration(tx), Math.floor(now / 1000));
    const [target] = await tx.query<{ identity: string }>('SELECT identity FROM sync_target');
    await createResync(tx, { scope: null, elementType: null }, generation, now * 1000);
    // 1: the process before may have sent something that is still on its way.
    saveTarget(tx, { identity: target?.identity ?? UNKNOWN_TARGET, generation, sending: 1 });
    return generation;
  }, TIMEOUT_MS);
}
