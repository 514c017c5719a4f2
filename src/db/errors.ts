/**
 * What a failure of the database means for the write that met it:
 * - `unavailable`: the environment failed (no disk space, read-only, I/O); nothing was written, every write fails alike;
 * - `data`: the statement itself was refused (constraint, type); another write may pass;
 * - `timeout`: the transaction's time was over; nothing was written;
 * - `outcome_unknown`: the commit failed in a way that leaves open whether it happened.
 */
export type DatabaseErrorKind = 'unavailable' | 'data' | 'timeout' | 'outcome_unknown';

/** A failure of the database. Its message and cause are for the log, never for a caller. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly kind: DatabaseErrorKind;

  constructor(kind: DatabaseErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

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

/** The driver's code of an error (`SQLITE_FULL`), or an empty string. */
export function driverCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'driverError' in error ? driverCode(error.driverError) : '';
}
