import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type ContextValues, createContextKey, createContextValues } from '@connectrpc/connect';
import { PEER, peerOf } from './auth/peer.ts';

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
  return valuesFor('stream' in request ? request.stream?.session?.socket : request.socket);
}

/**
 * The same, for who knows the connection only: of HTTP/2 the session's `socket`, since a request's own is another
 * object for each request.
 */
export function valuesFor(connection: Duplex | undefined): ContextValues {
  const values = createContextValues();
  const peer = peerOf(connection);
  return peer === undefined ? values : values.set(PEER, peer);
}
