import { randomUUID } from 'node:crypto';
import type { HandlerContext } from '@connectrpc/connect';
import type { Signal } from '../util/abort.ts';
import { CALL } from './call.ts';
import { ANSWERED } from './universal-request.ts';

const CORRELATION_HEADER = 'x-request-id';
/** What a caller may choose: visible ASCII, so that no log line can be forged with it. */
const CORRELATION_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * The request gate: runs when the headers are there, before the message is read. It names the call, and tells
 * the name in the answer's headers, whatever the answer will be.
 */
export function openCall(
  context: HandlerContext & { abort?: (reason?: unknown) => void; cancellation?: Signal },
): void {
  const { abort } = context;
  // connect-es ends each call with abort() and no reason: see ANSWERED.
  if (abort !== undefined) context.abort = (reason = ANSWERED) => abort(reason);
  const correlationId = correlationIdOf(context.requestHeader.get(CORRELATION_HEADER));
  const timeoutMs = context.timeoutMs();
  context.responseHeader.set(CORRELATION_HEADER, correlationId);
  const call = {
    correlationId,
    protocol: context.protocolName,
    // The lane's is cheaper than the AbortSignal that it can make.
    signal: context.cancellation ?? context.signal,
    deadline: timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs,
    reached: false,
  };
  context.values.set(CALL, call);
}

/** The correlation id that the caller asked for, where it may be one, or a new one. */
export function correlationIdOf(asked: string | null): string {
  return asked !== null && CORRELATION_ID.test(asked) ? asked : randomUUID();
}
