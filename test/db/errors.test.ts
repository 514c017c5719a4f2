import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import {
  DatabaseError,
  type DatabaseErrorKind,
  driverCode,
  postgresError,
  sqliteError,
} from '../../src/db/errors.ts';

const driverError = (code: string) => Object.assign(new Error(`${code}: text`), { code });

test.each<[string, DatabaseErrorKind, committing: DatabaseErrorKind]>([
  ['SQLITE_FULL', 'unavailable', 'unavailable'],
  ['SQLITE_READONLY', 'unavailable', 'unavailable'],
  ['SQLITE_BUSY', 'unavailable', 'unavailable'],
  ['SQLITE_IOERR', 'unavailable', 'outcome_unknown'],
  ['SQLITE_CORRUPT', 'unavailable', 'outcome_unknown'],
  ['SQLITE_NOMEM', 'unavailable', 'outcome_unknown'],
  ['SQLITE_CONSTRAINT', 'data', 'data'],
  ['SQLITE_ERROR', 'data', 'data'],
  ['SQLITE_TOOBIG', 'data', 'data'],
  ['SQLITE_INTERRUPT', 'timeout', 'timeout'],
])('%s means %s; from COMMIT %s', (code, kind, committing) => {
  expect(sqliteError(driverError(code)).kind).toBe(kind);
  expect(sqliteError(driverError(code), true).kind).toBe(committing);
  // As TypeORM wraps it.
  const wrapped = Object.assign(new Error('QueryFailedError'), { driverError: driverError(code) });
  expect(sqliteError(wrapped).kind).toBe(kind);
});

test('a DatabaseError stays what it is, and anything else has no code', () => {
  const error = new DatabaseError('timeout', 'late');
  expect(sqliteError(error, true)).toBe(error);
  for (const other of [undefined, null, 'text', new Error('plain'), { code: 5 }])
    expect(driverCode(other)).toBe('');
});

test.each<[string, DatabaseErrorKind]>([
  ['40001', 'conflict'],
  ['40P01', 'conflict'],
  ['0A000', 'conflict'],
  ['55P03', 'timeout'],
  ['57014', 'timeout'],
  ['23505', 'data'],
  ['22003', 'data'],
  ['57P01', 'unavailable'],
  ['57P03', 'unavailable'],
  ['53300', 'unavailable'],
  ['08006', 'unavailable'],
  ['25006', 'unavailable'],
  ['42P01', 'unavailable'],
  ['ECONNREFUSED', 'unavailable'],
])('PostgreSQL’s %s means %s', (code, kind) => {
  expect(postgresError(driverError(code)).kind).toBe(kind);
});

test('two replicas that make one sequence are in each other’s way; an element that exists is a fault of data', () => {
  const violation = (constraint: string) => Object.assign(driverError('23505'), { constraint });
  expect(postgresError(violation('sequence_key')).kind).toBe('conflict');
  expect(postgresError(violation('element_pkey')).kind).toBe('data');
});

test('what PostgreSQL tells of a row stays out of the error, however it came', () => {
  const told = {
    detail: 'Failing row contains (secret).',
    where: 'JSON data: secret',
    internalQuery: 'secret',
  };
  const bare = Object.assign(driverError('23514'), told);
  const wrapped = Object.assign(new Error('QueryFailedError'), told, {
    driverError: Object.assign(driverError('23514'), told),
    query: 'INSERT',
    parameters: ['secret'],
  });
  for (const error of [bare, wrapped]) {
    expect(postgresError(error)).toMatchObject({ kind: 'data', cause: error });
    expect(inspect(postgresError(error), { depth: 10, showHidden: true })).not.toContain('secret');
    expect(driverCode(error)).toBe('23514');
  }
});
