import { DatabaseError } from '../db/errors.ts';
import {
  DatabaseUnavailableError,
  DeadlineExceededError,
  type DomainError,
  InternalError,
  OutcomeUnknownError,
} from './errors.ts';

/** What a caller is told about a failure below: whose fault it is, and whether something may have been written. */
export function callerError(error: unknown): DomainError {
  if (!(error instanceof DatabaseError)) return new InternalError(error);
  switch (error.kind) {
    case 'conflict':
    case 'unavailable':
      return new DatabaseUnavailableError(error);
    case 'timeout':
      return new DeadlineExceededError();
    case 'outcome_unknown':
      return new OutcomeUnknownError(error);
    case 'data':
      return new InternalError(error);
  }
}
