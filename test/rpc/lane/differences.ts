import type { Case } from './cases.ts';
import type { Reply } from './send.ts';

/** A way in which the lane answers otherwise than the stock adapter, on purpose. */
export interface Difference {
  readonly id: string;
  readonly what: string;
  readonly reason: string;
  /** The sentence that it rests on, and where it stands. */
  readonly specification: string;
  /** Whether two replies differ in nothing but this; absent where nothing of it can be seen from outside. */
  readonly explains?: (one: Case, stock: Reply, lane: Reply) => boolean;
}

/** All of them. */
export const DIFFERENCES: readonly Difference[] = [
  {
    id: 'gone-is-cancelled',
    what: 'A call whose client went away while it ran is CANCELLED in the log and the metrics, however it went. The stock adapter turns the code of an HTTP/2 RST_STREAM into a code of its own, INTERNAL among them, which the log then calls a fault of ours.',
    reason: 'Nobody is left to be told, and a reset by a peer is no fault of the service.',
    specification:
      'gRPC over HTTP/2, "Errors": "Servers that receive RST_STREAM … CANCEL(8): Mapped to call cancellation when sent by a client." Connect says nothing of it.',
  },
  {
    id: 'half-surrogate-in-message',
    what: "An application's error over gRPC whose message has half of a surrogate pair keeps its code and details, with U+FFFD in the message. connect-es throws a URIError there, and the service answers INVALID_ARGUMENT in its place.",
    reason: 'The code is what a caller acts on. No error of this service has such a message today.',
    specification:
      'gRPC over HTTP/2, "Responses": "Status-Message → "grpc-message" Percent-Encoded", "the Status-Message field is a Unicode string description of the error, both UTF-8 and percent-encoded": half of a pair has no UTF-8.',
  },
  {
    id: 'default-timeout-not-in-header',
    what: 'The default deadline of a call without one is not written into the request header that interceptors and implementations see, as it is for the stock adapter; timeoutMs() and the signal are the same.',
    reason: 'The header would tell them that the client had sent it.',
    specification:
      'Connect, "Unary-Request": "Timeout → "connect-timeout-ms" …": a field of the request, which the client sends.',
  },
];

/** Whether some difference explains it. */
export function isIntended(one: Case, stock: Reply, lane: Reply): boolean {
  return DIFFERENCES.some(({ explains }) => explains?.(one, stock, lane) === true);
}
