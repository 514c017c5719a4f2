/**
 * An error that a caller is told: a reason from a closed set, a sentence in the caller's words, and metadata
 * that a program can read. What code it becomes on the wire is decided at the edge.
 */
export abstract class DomainError extends Error {
  abstract readonly reason: Reason;
  /** Names and values as ErrorInfo carries them. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, metadata: Readonly<Record<string, string>> = {}, options?: ErrorOptions) {
    super(message, options);
    this.metadata = metadata;
  }
}

/** Every reason that a caller can meet. */
export type Reason =
  | 'INVALID_FIELD'
  | 'REQUEST_ID_REUSED'
  | 'NOT_A_PERMUTATION'
  | 'POSITION_OUT_OF_RANGE'
  | 'ELEMENT_NOT_FOUND'
  | 'VERSION_NOT_FOUND'
  | 'ELEMENT_EXISTS'
  | 'REVISION_MISMATCH'
  | 'VERSION_MISMATCH'
  | 'TOO_MANY_RENUMBERED'
  | 'DOCUMENT_PARKED'
  | 'SYNC_DISABLED'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'OVERLOADED'
  | 'AUTHENTICATION_UNAVAILABLE'
  | 'RATE_LIMITED'
  | 'DATABASE_UNAVAILABLE'
  | 'DRAINING'
  | 'OUTCOME_UNKNOWN'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'INTERNAL';

/** A field that breaks its rule. */
export interface FieldViolation {
  /** The path of the field in the request, as the contract spells it: `items[3].element_id`. */
  field: string;
  /** The rule, in words that follow the field's name: `must be 1 or more`. */
  description: string;
}

/** Fields of the request break their rules. All of them are named. */
export class InvalidFieldError extends DomainError {
  readonly reason: 'INVALID_FIELD' | 'NOT_A_PERMUTATION';
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[], reason: InvalidFieldError['reason'] = 'INVALID_FIELD') {
    super(violations.map(({ field, description }) => `${field} ${description}`).join('; '), {
      field: violations[0]?.field ?? '',
    });
    this.violations = violations;
    this.reason = reason;
  }
}

/** The request id was used for another request before. */
export class RequestIdReusedError extends DomainError {
  readonly reason = 'REQUEST_ID_REUSED';

  constructor(requestId: string) {
    super(`request_id ${requestId} was already used for another request; use a new one`, {
      request_id: requestId,
    });
  }
}

// Enough to act on; a list of thousands would only fill the error's headers.
const MAX_LISTED_IDS = 50;

function listed(values: readonly number[]): string {
  return values.slice(0, MAX_LISTED_IDS).join(',');
}

function andMore(values: readonly number[]): string {
  return values.length > MAX_LISTED_IDS ? ` and ${values.length - MAX_LISTED_IDS} more` : '';
}

/** Elements that the request names do not exist. */
export class ElementNotFoundError extends DomainError {
  readonly reason = 'ELEMENT_NOT_FOUND';

  constructor(sequence: string, elementIds: readonly number[]) {
    super(`not found in ${sequence}: element ${listed(elementIds)}${andMore(elementIds)}`, {
      element_ids: listed(elementIds),
      count: String(elementIds.length),
    });
  }
}

/** The element has no such version. */
export class VersionNotFoundError extends DomainError {
  readonly reason = 'VERSION_NOT_FOUND';

  constructor(elementId: number, versionNumber: number) {
    super(`element ${elementId} has no version ${versionNumber}`, {
      element_id: String(elementId),
      version_number: String(versionNumber),
    });
  }
}

/** Elements that are to be generated are there already. */
export class ElementExistsError extends DomainError {
  readonly reason = 'ELEMENT_EXISTS';

  constructor(sequence: string, elements: readonly { elementId: number; sequenceNumber: number }[]) {
    const ids = elements.map(({ elementId }) => elementId);
    super(`already in ${sequence}: element ${listed(ids)}${andMore(ids)}`, {
      element_ids: listed(ids),
      sequence_numbers: listed(elements.map(({ sequenceNumber }) => sequenceNumber)),
      count: String(elements.length),
    });
  }
}

/** The position lies outside of the sequence. */
export class PositionOutOfRangeError extends DomainError {
  readonly reason = 'POSITION_OUT_OF_RANGE';

  constructor(position: number, last: number) {
    super(
      last === 0
        ? `position is ${position}, but the sequence is empty`
        : `position must be from 1 to ${last}; it is ${position}`,
      { position: String(position), first: '1', last: String(last) },
    );
  }
}

/** The order has changed since the expected revision, or that revision has not been reached. */
export class RevisionMismatchError extends DomainError {
  readonly reason = 'REVISION_MISMATCH';

  constructor(expected: number, current: { revision: number; orderRevision: number }) {
    super(
      expected > current.revision
        ? `expected_revision is ${expected}, but the sequence has only reached revision ${current.revision}`
        : `expected_revision is ${expected}, but the order changed at revision ${current.orderRevision}; read it again`,
      {
        expected_revision: String(expected),
        revision: String(current.revision),
        order_revision: String(current.orderRevision),
      },
    );
  }
}

/** The latest version is not the expected one. */
export class VersionMismatchError extends DomainError {
  readonly reason = 'VERSION_MISMATCH';

  constructor(expected: number, versionNumber: number) {
    super(`expected_version is ${expected}, but the latest version is ${versionNumber}; read it again`, {
      expected_version: String(expected),
      version_number: String(versionNumber),
    });
  }
}

/** The write would renumber more elements, or delete more versions, than one write may. */
export class TooManyRenumberedError extends DomainError {
  readonly reason = 'TOO_MANY_RENUMBERED';

  constructor(what: 'elements' | 'versions', count: number, limit: number) {
    super(
      what === 'elements'
        ? `the write would renumber ${count} elements; ${limit} are allowed (MAX_RENUMBER)`
        : `the write would delete ${count} versions; ${limit} are allowed (MAX_RENUMBER)`,
      { [what]: String(count), limit: String(limit) },
    );
  }
}

/** A document that is waited for has been refused too often; an operator has to look at it. */
export class DocumentParkedError extends DomainError {
  readonly reason = 'DOCUMENT_PARKED';

  constructor(documentId: string) {
    super(`document ${documentId} is parked: the search index refused it too often`, {
      document_id: documentId,
    });
  }
}

/** No search index is configured. */
export class SyncDisabledError extends DomainError {
  readonly reason = 'SYNC_DISABLED';

  constructor() {
    super('no search index is configured (TYPESENSE_URL or TYPESENSE_CLIENT_URL)');
  }
}

/** The call does not show who makes it. */
export class UnauthenticatedError extends DomainError {
  readonly reason = 'UNAUTHENTICATED';

  constructor(message = 'the call brings no valid credentials') {
    super(message);
  }
}

/** Who makes the call may not make it. The same is said of scopes that exist and of those that do not. */
export class PermissionDeniedError extends DomainError {
  readonly reason = 'PERMISSION_DENIED';

  /** @param permission what the call needs, in the scope that it names or in every scope */
  constructor(permission: string, where: 'its scope' | 'every scope' | 'any scope') {
    super(`the call needs the permission to ${permission} in ${where}, which its caller does not have`, {
      permission,
    });
  }
}

/** Who makes the call cannot be told now, for a reason that is not the caller's. Nothing was written. */
export class AuthenticationUnavailableError extends DomainError {
  readonly reason = 'AUTHENTICATION_UNAVAILABLE';

  constructor(cause: unknown) {
    super('the keys that tokens are checked with cannot be had now; nothing was written', {}, { cause });
  }
}

/** More is waiting than the service takes. Nothing was written; try again after a while. */
export class OverloadedError extends DomainError {
  readonly reason = 'OVERLOADED';
  readonly retryAfterMs: number;

  constructor(what: string, retryAfterMs: number) {
    super(`${what}; try again in ${retryAfterMs} ms`, { retry_after_ms: String(retryAfterMs) });
    this.retryAfterMs = retryAfterMs;
  }
}

/** The caller has made more calls than it may. Nothing was written; try again when the time is over. */
export class RateLimitedError extends DomainError {
  readonly reason = 'RATE_LIMITED';
  readonly retryAfterMs: number;

  constructor(limit: string, retryAfterMs: number) {
    super(`the caller may make ${limit} (RATE_LIMIT); try again in ${retryAfterMs} ms`, {
      retry_after_ms: String(retryAfterMs),
    });
    this.retryAfterMs = retryAfterMs;
  }
}

/** The database cannot be used now. Nothing was written. */
export class DatabaseUnavailableError extends DomainError {
  readonly reason = 'DATABASE_UNAVAILABLE';

  constructor(cause: unknown) {
    super('the database cannot be used now; nothing was written', {}, { cause });
  }
}

/** The service is stopping. Nothing was written; another replica, or this one after its restart, will answer. */
export class DrainingError extends DomainError {
  readonly reason = 'DRAINING';

  constructor() {
    super('the service is stopping; nothing was written');
  }
}

/** The commit failed in a way that leaves open whether it happened. */
export class OutcomeUnknownError extends DomainError {
  readonly reason = 'OUTCOME_UNKNOWN';

  constructor(cause: unknown) {
    super('the write may or may not have happened; repeat it with the same request_id', {}, { cause });
  }
}

/** The caller's time was over. The write may still happen where it had begun. */
export class DeadlineExceededError extends DomainError {
  readonly reason = 'DEADLINE_EXCEEDED';

  constructor() {
    super('the deadline was exceeded');
  }
}

/** The caller has gone. The write may still happen where it had begun. */
export class CancelledError extends DomainError {
  readonly reason = 'CANCELLED';

  constructor() {
    super('the caller cancelled the request');
  }
}

/** A defect of the service. The cause is for the log. */
export class InternalError extends DomainError {
  readonly reason = 'INTERNAL';

  constructor(cause: unknown) {
    super('internal error', {}, { cause });
  }
}
