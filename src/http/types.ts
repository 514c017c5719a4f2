import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { ListenerLimits } from './limits.ts';

/** A request of either protocol, in the shape that connect-node takes. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** The answer to an {@link HttpRequest}. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** Why a connection or request was refused before a handler saw it whole. A closed set: fit for a metric label. */
export const REFUSED_REASONS = [
  /** More connections than maxConnections. */
  'too_many_connections',
  /** Nothing, or less than tells the protocol, within firstByteTimeoutMs. */
  'first_byte_timeout',
  /** No TLS where TLS is spoken: garbage, cleartext, an old version, a certificate that is not accepted, too slow. */
  'tls_handshake',
  /** Not HTTP: garbage, TLS on the cleartext port, broken framing, two Host headers. */
  'malformed_request',
  'header_too_large',
  'too_many_headers',
  'header_timeout',
  'request_timeout',
  /** An answer that its peer did not take within answerTimeoutMs. */
  'answer_timeout',
  /** Host or :authority missing, or nothing that a URL can be made of. */
  'bad_authority',
  /** A request target that makes no URL. */
  'bad_target',
  /** CONNECT, or an Expect other than 100-continue. */
  'unsupported_request',
] as const;

/** One of {@link REFUSED_REASONS}. */
export type RefusedReason = (typeof REFUSED_REASONS)[number];

/** Takes a request over HTTP/2 as Node's `stream` event tells it; false where it does not want it. */
export type StreamHandler = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => boolean;

/** What is called for requests, refusals and faults; none of them is ever called for the same event twice. */
export interface ListenerHooks {
  /** A request with sound headers. What it throws, or rejects with, goes to onError and is answered 500. */
  onRequest(req: HttpRequest, res: HttpResponse): void | Promise<void>;
  /**
   * An HTTP/2 request with sound headers, before it is wrapped for Node's compatibility API, which costs more than
   * the protocol. What it takes does not come to onRequest; what it throws goes to onError, and ends the stream.
   */
  onStream?: StreamHandler;
  /** Something was refused before a handler saw it whole. */
  onRefused(reason: RefusedReason): void;
  /** A fault of ours: a throwing handler, a write after the end. To be logged; never the peer's doing. */
  onError(err: unknown): void;
}

/** One protocol's half of the port: it is handed sockets and never listens. */
export interface ProtocolServer {
  /** Takes over a socket whose first bytes have been put back into it. */
  accept(socket: Socket): void;
  /** From now on each connection closes as soon as what runs on it has been answered. */
  drain(): void;
}

/** Hooks and limits together, as the inner parts take them. */
export interface ProtocolOptions {
  hooks: ListenerHooks;
  limits: ListenerLimits;
}
