import type { DataSource } from 'typeorm';
import { POSTGRES } from './engine.ts';
import { PostgresHints } from './hints.ts';
import { MIGRATE_LOCK_TIMEOUT_MS, migrateUnderLock } from './migrate.ts';
import type { DatabaseOptions, OpenParts } from './open.ts';
import {
  connectionOptions,
  openPostgresSource,
  type PostgresAddress,
  type PostgresPoolOptions,
  postgresPool,
} from './postgres.ts';
import { PostgresReader } from './postgres-reader.ts';
import { PostgresWriter } from './postgres-writer.ts';
import { Reads } from './queries/reads.ts';
import { SyncReads } from './queries/sync.ts';

const SYNC_READERS = 2;
// The writer's statements and callers' reads find their rows by an index, whatever the statistics of a young table say; a plan made once
// for a table that was empty would read all of it later. (Counting still reads it all, where there is no other way.)
const ALWAYS_BY_INDEX = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_memoize: 'off',
  random_page_cost: '0.01',
};

/** Opens a PostgreSQL database, which others may write at the same time. It must exist; its tables are created. */
export async function openPostgres(
  address: PostgresAddress,
  options: DatabaseOptions,
  closers: (() => Promise<void>)[],
): Promise<OpenParts> {
  const {
    writers = 2,
    lockTimeoutMs = 5_000,
    statementTimeoutMs = 30_000,
    name = 'sequence-service',
  } = options;
  const open = async (pool: Partial<PostgresPoolOptions>) => {
    const source = await openPostgresSource(address, {
      size: 1,
      name,
      statementTimeoutMs,
      lockTimeoutMs,
      ...pool,
    });
    closers.push(() => source.destroy());
    return source;
  };
  const migrated = await withSource(
    address,
    `${name} migrate`,
    (source) => migrateUnderLock(source, options.migrate),
    MIGRATE_LOCK_TIMEOUT_MS,
  );
  // One more, to cancel what the others run; and one for the leases and tasks of the service's own.
  const writerSource = await open({ size: writers + 2, name: `${name} write`, settings: ALWAYS_BY_INDEX });
  const writer = new PostgresWriter(postgresPool(writerSource));
  closers.push(() => writer.close());
  const readerSource = await open({
    size: options.readers,
    name: `${name} read`,
    settings: ALWAYS_BY_INDEX,
    readOnly: true,
  });
  const reader = new PostgresReader(postgresPool(readerSource));
  closers.push(() => reader.close());
  const syncReader = await open({ size: SYNC_READERS, name: `${name} sync`, readOnly: true });
  const hints = new PostgresHints(await connectionOptions(address, `${name} hints`));
  closers.push(() => hints.close());
  return {
    engine: POSTGRES,
    hints,
    lanes: writers,
    writer,
    reads: new Reads(reader),
    syncReads: new SyncReads(syncReader, POSTGRES),
    migrated,
  };
}

/** Does something on a pool of its own, without time-outs of statements. */
export async function withSource<T>(
  address: PostgresAddress,
  name: string,
  use: (source: DataSource) => Promise<T>,
  lockTimeoutMs = 0,
): Promise<T> {
  const source = await openPostgresSource(address, { size: 2, name, statementTimeoutMs: 0, lockTimeoutMs });
  try {
    return await use(source);
  } finally {
    await source.destroy();
  }
}
