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
    id: 'half-surrogate-in-message',
    what:
      "Over gRPC, an application's error whose message has half of a surrogate pair keeps its code and details, with " +
      'U+FFFD in the message. connect-es throws a `URIError` there, and the stock path answers `INVALID_ARGUMENT`. No ' +
      'error of this service has such a message.',
    reason: 'The code is what a caller acts on.',
    specification:
      'gRPC over HTTP2, "Responses": "The value portion of Status-Message is conceptually a Unicode string description ' +
      'of the error, physically encoded as UTF-8 followed by percent-encoding." Half of a pair has no UTF-8.',
  },
  {
    id: 'default-timeout-not-in-header',
    what:
      'The default deadline of a call without one does not stand in the request headers that interceptors and ' +
      'implementations see. `timeoutMs()` and the signal are the same.',
    reason: 'The header would tell them that the client had sent it.',
    specification:
      'gRPC over HTTP2, "Requests": "Timeout \u2192 "grpc-timeout" TimeoutValue TimeoutUnit" is a part of the ' +
      "client's Call-Definition; what a server assumes without it is not a header.",
  },
];

/** Whether some difference explains it. */
export function isIntended(one: Case, stock: Reply, lane: Reply): boolean {
  return DIFFERENCES.some(({ explains }) => explains?.(one, stock, lane) === true);
}
