import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { type ContextValues, createContextKey, createContextValues } from '@connectrpc/connect';
import { PEER, type Peer, peerOf } from './auth/peer.ts';

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

/** The call of a request, set by the request gate. */
export const CALL = createContextKey<Call | undefined>(undefined, { description: 'call' });

/** The context of a call as its request begins, before the request gate has seen its headers. */
export function valuesOf(request: IncomingMessage | Http2ServerRequest): ContextValues {
  return valuesWith(peerOf(request));
}

/** The same, for who reads the peer from the connection: `peerOfSession`, `peerOfSocket`. */
export function valuesWith(peer: Peer | undefined): ContextValues {
  const values = createContextValues();
  return peer === undefined ? values : values.set(PEER, peer);
}
