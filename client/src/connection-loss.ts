import { Code, ConnectError } from '@connectrpc/connect';

/** What Node names a connection that could not be made or was lost. */
const LOST: ReadonlySet<unknown> = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_INVALID_STREAM',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_CANCEL',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
]);

/** What fetch says in Node, Chromium, Firefox and WebKit; it gives no code. */
const FETCH_FAILED = /fetch failed|failed to fetch|networkerror|load failed/i;

/**
 * What Connect-ES says of an answer that ends, in order, before it is whole: a proxy (Caddy 2.6 does) may
 * end it so where the connection behind it broke. Its codes range from INVALID_ARGUMENT to UNKNOWN.
 */
const CUT_OFF =
  /^protocol error: (missing (status|trailer|output message)|incomplete envelope|promised \d+ bytes)/;

/**
 * Gives a lost connection the code UNAVAILABLE that it has in gRPC. Connect-ES calls it ABORTED (a reset, a hang-up),
 * CANCELLED (an HTTP/2 session that ended), INTERNAL (a write into a closed connection) or UNKNOWN (fetch), or finds
 * fault with the half of an answer.
 *
 * @param cancelled whether the caller or the deadline ended the call; then nothing was lost
 */
export function connectionLossAsUnavailable(error: ConnectError, cancelled: boolean): ConnectError {
  if (cancelled || error.code === Code.Unavailable || error.details.length > 0) return error;
  const sessionEnded = error.code === Code.Canceled;
  if (!sessionEnded && !isCutOff(error) && !causesOf(error).some(isLoss)) return error;
  return new ConnectError(
    `connection lost: ${error.rawMessage}`,
    Code.Unavailable,
    error.metadata,
    undefined,
    error,
  );
}

/** UNIMPLEMENTED is said where the status did arrive. */
function isCutOff(error: ConnectError): boolean {
  return error.code !== Code.Unimplemented && CUT_OFF.test(error.rawMessage);
}

function isLoss(cause: Error): boolean {
  if ('code' in cause && LOST.has(cause.code)) return true;
  return cause instanceof TypeError && FETCH_FAILED.test(cause.message);
}

function causesOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let next: unknown = error.cause; next instanceof Error && !chain.includes(next); next = next.cause)
    chain.push(next);
  return chain;
}
