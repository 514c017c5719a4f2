import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import { DatabaseError } from '../db/errors.ts';
import { callerError } from '../domain/caller-error.ts';
import {
  DomainError,
  InvalidFieldError,
  OverloadedError,
  RateLimitedError,
  type Reason,
} from '../domain/errors.ts';

/** The domain of every ErrorInfo of this service. */
export const ERROR_DOMAIN = 'sequence.fountain';

/** The one table that gives a reason its code. */
export const CODES: Readonly<Record<Reason, Code>> = {
  INVALID_FIELD: Code.InvalidArgument,
  REQUEST_ID_REUSED: Code.InvalidArgument,
  NOT_A_PERMUTATION: Code.InvalidArgument,
  POSITION_OUT_OF_RANGE: Code.OutOfRange,
  ELEMENT_NOT_FOUND: Code.NotFound,
  VERSION_NOT_FOUND: Code.NotFound,
  ELEMENT_EXISTS: Code.AlreadyExists,
  REVISION_MISMATCH: Code.Aborted,
  VERSION_MISMATCH: Code.Aborted,
  TOO_MANY_RENUMBERED: Code.FailedPrecondition,
  DOCUMENT_PARKED: Code.FailedPrecondition,
  SYNC_DISABLED: Code.FailedPrecondition,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  OVERLOADED: Code.ResourceExhausted,
  AUTHENTICATION_UNAVAILABLE: Code.Unavailable,
  RATE_LIMITED: Code.ResourceExhausted,
  DATABASE_UNAVAILABLE: Code.Unavailable,
  DRAINING: Code.Unavailable,
  OUTCOME_UNKNOWN: Code.Unavailable,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CANCELLED: Code.Canceled,
  INTERNAL: Code.Internal,
};

/** An error as the wire carries it, and whether it is a defect of ours that belongs into the log. */
export interface Translated {
  readonly error: ConnectError;
  readonly defect: boolean;
}

/**
 * Translates whatever a handler threw. A foreign error becomes INTERNAL with nothing but the correlation id:
 * its text could name files, statements or other callers' data.
 */
export function translate(error: unknown, correlationId: string): Translated {
  if (error instanceof DatabaseError && error.kind !== 'data')
    return translate(callerError(error), correlationId);
  if (error instanceof DomainError && error.reason !== 'INTERNAL')
    return { error: withInfo(error, CODES[error.reason]), defect: error.reason === 'OUTCOME_UNKNOWN' };
  if (error instanceof ConnectError && error.code !== Code.Internal && error.code !== Code.Unknown)
    return { error: withWaitInfo(error), defect: false };
  const internal = new ConnectError(
    `internal error; the service's log has more under correlation id ${correlationId}`,
    Code.Internal,
    undefined,
    [{ desc: ErrorInfoSchema, value: info('INTERNAL', { correlation_id: correlationId }) }],
  );
  return { error: internal, defect: true };
}

function withInfo(error: DomainError, code: Code): ConnectError {
  const details: ConnectError['details'] = [
    { desc: ErrorInfoSchema, value: info(error.reason, error.metadata) },
  ];
  if (error instanceof InvalidFieldError)
    details.push({ desc: BadRequestSchema, value: { fieldViolations: [...error.violations] } });
  if (error instanceof OverloadedError || error instanceof RateLimitedError)
    details.push({
      desc: RetryInfoSchema,
      value: create(RetryInfoSchema, { retryDelay: durationFromMs(error.retryAfterMs) }),
    });
  const translated = new ConnectError(error.message, code);
  // HTTP asks for it beside a 401.
  if (code === Code.Unauthenticated) translated.metadata.set('www-authenticate', 'Bearer');
  translated.details = details;
  return translated;
}

/** The reasons with which a call's signal is aborted are connect's own; they lack only our ErrorInfo. */
function withWaitInfo(error: ConnectError): ConnectError {
  const reason =
    error.code === Code.DeadlineExceeded
      ? 'DEADLINE_EXCEEDED'
      : error.code === Code.Canceled || error.code === Code.Aborted
        ? 'CANCELLED'
        : undefined;
  if (reason === undefined || error.details.length > 0) return error;
  const translated = new ConnectError(error.rawMessage, CODES[reason]);
  translated.details = [{ desc: ErrorInfoSchema, value: info(reason, {}) }];
  return translated;
}

function info(reason: Reason, metadata: Readonly<Record<string, string>>) {
  return create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } });
}
