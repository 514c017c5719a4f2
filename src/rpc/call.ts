import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import type { Signal } from '../util/abort.ts';
import { CERTIFICATE, shownBy } from './auth/certificate.ts';

/** What the edge knows of a call before its message is decoded. */
export interface Call {
  /** From `x-request-id`, or new; in the log, in the answer's headers, and in what INTERNAL tells. */
  readonly correlationId: string;
  /** `connect`, `grpc` or `grpc-web`. */
  readonly protocol: string;
  /** When the caller's time is over, milliseconds since the epoch. */
  readonly deadline: number;
  /** Aborted when the caller is gone or its time is over, and when it has been answered. */
  readonly signal: Signal;
  /** Whether the message was decoded and the interceptors were reached. */
  reached: boolean;
}

/** The address that a request came from; empty where nobody asks for it. */
export const PEER = createContextKey('', { description: 'address of the peer' });

/** What the message of a request is read from: by it the request is known again. */
export const SOURCE = createContextKey<Readable | undefined>(undefined, { description: 'source' });

/** The call of a request, set by the request gate. */
export const CALL = createContextKey<Call | undefined>(undefined, { description: 'call' });

/** The signal that an implementation waits by; the call's own, which interceptors do not replace. */
export function signalOf({ values }: Pick<HandlerContext, 'values'>): Signal {
  return values.get(CALL)!.signal;
}

/**
 * The context of a call as its request begins, before the request gate has seen its headers.
 *
 * @param tellsAddress whether somebody asks for the {@link PEER}
 */
export function valuesOf(request: IncomingMessage | Http2ServerRequest, tellsAddress = false): ContextValues {
  return valuesFor('stream' in request ? request.stream?.session?.socket : request.socket, tellsAddress);
}

/**
 * The same, for who knows the connection only: of HTTP/2 the session's `socket`, since a request's own is another
 * object for each request.
 */
export function valuesFor(connection: Duplex | undefined, tellsAddress = false): ContextValues {
  const values = createContextValues();
  const shown = shownBy(connection);
  if (shown !== undefined) values.set(CERTIFICATE, shown);
  if (tellsAddress) values.set(PEER, (connection as Socket | undefined)?.remoteAddress ?? '');
  return values;
}
