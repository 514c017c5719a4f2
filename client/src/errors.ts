import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';

/** The domain of every reason that SequenceService gives. */
export const ERROR_DOMAIN = 'sequence.fountain';

/** A field of a request that breaks its rule. */
export interface FieldViolation {
  /** The path of the field as the contract spells it: `items[3].element_id`. */
  readonly field: string;
  /** The rule, in words that follow the field's name: `must be 1 or more`. */
  readonly description: string;
}

/**
 * The reason that the service gave for an error, such as `ELEMENT_EXISTS`. It is what a program should decide on:
 * several reasons share a code, and messages are for people.
 *
 * @returns undefined where the error is not the service's own: a lost connection, a proxy's answer, another error
 */
export function reasonOf(error: unknown): string | undefined {
  return infoOf(error)?.reason;
}

/** What the service tells about an error by name: the ids and numbers in `ELEMENT_EXISTS`, the current revision. */
export function metadataOf(error: unknown): Readonly<Record<string, string>> {
  return infoOf(error)?.metadata ?? {};
}

/** Every faulty field that the service named; empty where the error is not about fields. */
export function fieldViolationsOf(error: unknown): FieldViolation[] {
  if (!(error instanceof ConnectError)) return [];
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations)
    .map(({ field, description }) => ({ field, description }));
}

/** How long the service asks its callers to stay away, in milliseconds. */
export function retryDelayMsOf(error: unknown): number | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Math.max(0, durationMs(delay));
}

/**
 * Whether a write that failed with this error may have been applied all the same. Where this is false, nothing was
 * written. Where it is true, repeat the write with the same request id, or read before you write again.
 */
export function mayHaveBeenApplied(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return true;
  const reason = reasonOf(error);
  if (error.code === Code.DeadlineExceeded || error.code === Code.Canceled) return true;
  if (reason !== undefined) return reason === 'OUTCOME_UNKNOWN';
  return !REFUSED_BEFORE_A_HANDLER.has(error.code);
}

/** With these codes and no reason, the protocol layer turned the request away. */
const REFUSED_BEFORE_A_HANDLER: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.Unimplemented,
  Code.Unauthenticated,
  Code.PermissionDenied,
]);

function infoOf(error: unknown) {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === ERROR_DOMAIN);
}
