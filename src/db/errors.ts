import type { Engine } from './engine.ts';

/**
 * What a failure of the database means for the write that met it:
 * - `conflict`: another transaction was in the way (deadlock, serialization); nothing was written, and the same may
 *   pass when it is run again;
 * - `unavailable`: the environment failed (no disk space, read-only, I/O); nothing was written, every write fails alike;
 * - `data`: the statement itself was refused (constraint, type); another write may pass;
 * - `timeout`: the transaction's time was over; nothing was written;
 * - `outcome_unknown`: the commit failed in a way that leaves open whether it happened.
 */
export type DatabaseErrorKind = 'conflict' | 'unavailable' | 'data' | 'timeout' | 'outcome_unknown';

/** A failure of the database. Its message and cause are for the log, never for a caller. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly kind: DatabaseErrorKind;

  constructor(kind: DatabaseErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** What a statement gets that comes after its transaction. One for all: to make one captures a stack. */
export const ENDED = new DatabaseError('data', 'the transaction has ended');

/** The database cannot be opened as it is; the message tells a person what to do. */
export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError';
}

// https://www.sqlite.org/rescode.html: the statement is at fault, not the machine.
const SQLITE_DATA_CODES = new Set([
  'SQLITE_CONSTRAINT',
  'SQLITE_ERROR',
  'SQLITE_MISMATCH',
  'SQLITE_RANGE',
  'SQLITE_TOOBIG',
]);

// After these, COMMIT has certainly not happened: the last frame of the write-ahead log was never complete.
const SQLITE_NOT_COMMITTED_CODES = new Set([
  'SQLITE_FULL',
  'SQLITE_READONLY',
  'SQLITE_BUSY',
  'SQLITE_INTERRUPT',
]);

/** Tells what a SQLite driver error means; `committing` where the failed statement was COMMIT. */
export function sqliteError(error: unknown, committing = false): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = driverCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'SQLITE_INTERRUPT') return new DatabaseError('timeout', message, error);
  if (committing && !SQLITE_NOT_COMMITTED_CODES.has(code) && !SQLITE_DATA_CODES.has(code))
    return new DatabaseError('outcome_unknown', message, error);
  return new DatabaseError(SQLITE_DATA_CODES.has(code) ? 'data' : 'unavailable', message, error);
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html, by code and then by class.
const POSTGRES_KINDS: Readonly<Record<string, DatabaseErrorKind>> = {
  '40001': 'conflict',
  '40P01': 'conflict',
  // A plan or a prepared statement that a migration has overtaken.
  '0A000': 'conflict',
  '26000': 'conflict',
  '55P03': 'timeout',
  '57014': 'timeout',
  '25P03': 'timeout',
  '25P04': 'timeout',
  '21': 'data',
  '22': 'data',
  '23': 'data',
  '54': 'data',
  P0: 'data',
};
// Two replicas make the row of the same sequence: who comes second finds it there when it runs again.
const POSTGRES_CREATION_RACE = 'sequence_key';

/** Tells what an error of PostgreSQL's driver means; one without a code is the connection's. It forgets the row that it quotes. */
export function postgresError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  forgetRow(error);
  const code = driverCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const raced = code === '23505' && constraintOf(error) === POSTGRES_CREATION_RACE;
  const kind = raced ? 'conflict' : (POSTGRES_KINDS[code] ?? POSTGRES_KINDS[code.slice(0, 2)]);
  return new DatabaseError(kind ?? 'unavailable', message, error);
}

/** Where PostgreSQL and TypeORM quote rows and parameters, which are nobody's to read but the caller's. */
const QUOTING = ['detail', 'where', 'internalQuery', 'parameters'];

function forgetRow(error: unknown): void {
  if (typeof error !== 'object' || error === null) return;
  for (const key of QUOTING) Reflect.deleteProperty(error, key);
  if ('driverError' in error) forgetRow(error.driverError);
}

const MEANING: Readonly<Record<Engine['name'], (error: unknown) => DatabaseError>> = {
  sqlite: (error) => sqliteError(error),
  postgres: postgresError,
};

/** Tells what an error of an engine's driver means. */
export function databaseError(engine: Engine, error: unknown): DatabaseError {
  return MEANING[engine.name](error);
}

function constraintOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'constraint' in error ? error.constraint : undefined;
}

/** The driver's code of an error (`SQLITE_FULL`), or an empty string. */
export function driverCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'driverError' in error ? driverCode(error.driverError) : '';
}
