import { createContextKey } from '@connectrpc/connect';

/** What the edge knows of a call before its message is decoded. */
export interface Call {
  /** From `x-request-id`, or new; in the log, in the answer's headers, and in what INTERNAL tells. */
  readonly correlationId: string;
  /** `connect`, `grpc` or `grpc-web`. */
  readonly protocol: string;
  /** When the caller's time is over, milliseconds since the epoch. */
  readonly deadline: number;
  /** Whether the message was decoded and the interceptors were reached. */
  reached: boolean;
}

/** The address that a request came from; empty where nobody asks for it. */
export const PEER = createContextKey('', { description: 'address of the peer' });

/** The call of a request, set by the request gate. */
export const CALL = createContextKey<Call | undefined>(undefined, { description: 'call' });
