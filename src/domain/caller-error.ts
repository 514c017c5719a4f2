import { DatabaseError } from '../db/errors.ts';
import {
  DatabaseUnavailableError,
  DeadlineExceededError,
  InternalError,
  OutcomeUnknownError,
} from './errors.ts';

/** What a caller is told of a failure of the database; any other error is told as it is. */
export function callerError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
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
