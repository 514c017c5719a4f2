import { onTestFinished } from 'vitest';
import { type Database, openDatabase, verifyDatabase } from '../../src/db/database.ts';
import type { WriteConnection } from '../../src/db/transaction.ts';
import type { Violation } from '../../src/db/verify.ts';
import type { BatchMember, Outcome } from '../../src/domain/batch.ts';
import { runBatch } from '../../src/domain/batch.ts';
import type { SequenceKey } from '../../src/domain/model.ts';
import type { WaitOptions } from '../../src/domain/pending-write.ts';
import { requestHash } from '../../src/domain/request-hash.ts';
import { Writer, type WriterLimits, type WriterOptions } from '../../src/domain/writer.ts';
import type {
  BatchGenerate,
  CreateVersion,
  Generate,
  Move,
  Remove,
  Reorder,
  Write,
} from '../../src/domain/writes.ts';
import { createMetrics } from '../../src/metrics.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';

/** How much more a property test does with LONG=1. */
export const EFFORT = process.env['LONG'] === '1' ? 30 : ENGINE.share;

/** Where most tests write. */
export const SCRIPTS: SequenceKey = { scope: 'play', elementType: 'script' };
/** A second sequence. */
export const SCENES: SequenceKey = { scope: 'play', elementType: 'section' };

type Free<W extends Write> = Partial<Omit<W, 'kind'>>;

const base = { sequence: SCRIPTS, caller: '', comment: '' };

export const generate = (elementId: number, rest: Free<Generate> = {}): Generate => ({
  kind: 'generate',
  ...base,
  elementId,
  content: null,
  ...rest,
});

export const batchGenerate = (ids: readonly number[], rest: Free<BatchGenerate> = {}): BatchGenerate => ({
  kind: 'batch_generate',
  ...base,
  items: ids.map((elementId) => ({ elementId, comment: '', content: null })),
  ...rest,
});

export const reorder = (newOrder: readonly number[], rest: Free<Reorder> = {}): Reorder => ({
  kind: 'reorder',
  ...base,
  newOrder,
  ...rest,
});

export const move = (elementId: number, target: Move['target'], rest: Free<Move> = {}): Move => ({
  kind: 'move',
  ...base,
  elementId,
  target,
  ...rest,
});

export const createVersion = (elementId: number, rest: Free<CreateVersion> = {}): CreateVersion => ({
  kind: 'create_version',
  ...base,
  elementId,
  content: null,
  ...rest,
});

export const remove = (elementId: number, rest: Free<Remove> = {}): Remove => ({
  kind: 'remove',
  ...base,
  elementId,
  ...rest,
});

/** A database of its own, which goes with the test. */
export interface TestDatabase {
  /** A SQLite file, or the URL of a PostgreSQL database. */
  readonly place: string;
  readonly database: Database;
  /** Reads rows on a connection of its own. */
  query<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  verify(): Promise<Violation[]>;
}

/** Opens a new database of the engine that this run is about. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const place = await ENGINE.newPlace();
  const database = await openDatabase(placeOf(place));
  const connection = await ENGINE.connect(place);
  onTestFinished(async () => {
    await connection.close();
    await database.close();
  });
  return {
    place,
    database,
    query: (sql, parameters = []) => connection.query(sql, parameters),
    verify: async () => (await verifyDatabase(placeOf(place))).violations,
  };
}

/** What a member of a batch got: its answer, or the reason of its error. */
export type Result = { answer: unknown; error?: never } | { error: string; answer?: never };

/** The same of an outcome. */
export function resultOf(outcome: Outcome): Result {
  return outcome.error ? { error: outcome.error.reason } : { answer: outcome.answer };
}

let batches = 0;

/** Runs writes as one batch, in one transaction. */
export async function batchOf(
  { database }: TestDatabase,
  writes: readonly Write[],
  options: { now?: () => number; token?: string; maxRenumber?: number } = {},
): Promise<Outcome[]> {
  const members: BatchMember[] = writes.map((write) => ({
    write,
    hash: write.requestId === undefined ? undefined : requestHash(write),
  }));
  batches += 1;
  const token = `batch ${batches}`;
  const outcomes = await database.writer.transaction(
    (tx) => runBatch(tx, members, { now: () => 1_000, token, maxRenumber: 100_000, ...options }),
    10_000,
  );
  return outcomes.map((outcome) => {
    if (outcome === undefined) throw new Error('another transaction holds the sequence');
    return outcome;
  });
}

/** The ids of a sequence in the order of their numbers, which are checked to be 1..n. */
export async function orderOf(
  db: TestDatabase,
  { scope, elementType }: SequenceKey = SCRIPTS,
): Promise<number[]> {
  const rows = await db.query<{ id: number; number: number }>(
    `SELECT e.element_id AS id, e.sequence_number AS number FROM element e JOIN sequence s ON s.id = e.sequence_id
      WHERE s.scope = ? AND s.element_type = ? ORDER BY 2`,
    [scope, elementType],
  );
  rows.forEach(({ number }, index) => {
    if (number !== index + 1) throw new Error(`number ${number} stands at place ${index + 1}`);
  });
  return rows.map(({ id }) => id);
}

/** The dirty documents as `element/version`, each with `since..wanted`, and the rows' marks. */
export async function dirtyOf(
  db: TestDatabase,
): Promise<{ ranges: Record<string, string>; marks: string[] }> {
  const rows = await db.query<{ id: string; range: string; mark: string }>(
    `SELECT d.element_id || '/' || d.version_number AS id, d.since_revision || '..' || d.wanted_revision AS range,
      d.mark FROM dirty_document d ORDER BY d.sequence_id, d.element_id, d.version_number`,
  );
  return {
    ranges: Object.fromEntries(rows.map(({ id, range }) => [id, range])),
    marks: [...new Set(rows.map(({ mark }) => mark))],
  };
}

/** The limits of a writer that is not about to refuse anything. */
export const LIMITS: WriterLimits = {
  maxBatch: 512,
  maxQueue: 10_000,
  maxQueueBytes: 64 * 1024 * 1024,
  maxRenumber: 100_000,
};

/** A writer on a connection; the test closes it at its end. */
export function startWriter(
  connection: WriteConnection,
  options: Partial<Omit<WriterOptions, 'limits'>> & { limits?: Partial<WriterLimits> } = {},
): { writer: Writer; errors: unknown[]; metrics: WriterOptions['metrics'] } {
  const errors: unknown[] = [];
  const { writer: metrics } = createMetrics();
  const writer = new Writer({
    connection,
    metrics,
    now: Date.now,
    onCommit: () => {},
    onError: (error) => errors.push(error),
    ...options,
    limits: { ...LIMITS, ...options.limits },
  });
  onTestFinished(() => writer.close());
  return { writer, errors, metrics };
}

/** Waits for as long as it takes. */
export function patiently(signal = new AbortController().signal): WaitOptions {
  return { signal, deadline: Date.now() + 60_000 };
}

/** The reason of the error that a promise rejects with, or its answer. */
export async function settled(promise: Promise<unknown>): Promise<Result> {
  try {
    return { answer: await promise };
  } catch (error) {
    if (error instanceof Error && 'reason' in error) return { error: String(error.reason) };
    throw error;
  }
}
