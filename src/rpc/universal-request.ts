import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError, type ContextValues } from '@connectrpc/connect';
import type { UniversalServerRequest } from '@connectrpc/connect/protocol';

/**
 * What the signal of a call is aborted with when it has been answered. One for all: where `abort()` is told no reason
 * Node makes a `DOMException`, which captures a stack and with it the call, and keeps that in a WeakMap. What a
 * long-lived WeakMap holds is a root for each collection of the young: calls got into the old generation by it, and an
 * RPC that does nothing was answered 2.6 times as often without.
 */
export const ANSWERED = new DOMException('This operation was aborted', 'AbortError');
/** What it is aborted with when its client goes away, however: a reset by a peer is no fault of ours. */
const GONE = new ConnectError('the caller has gone', Code.Canceled);

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * A request of Node's as connect-es' handlers take it. It is connect-node's `universalRequestFromNodeRequest` but for
 * the reasons of the signal and for the body: that one makes a generator function for each call, and V8 gives each of
 * those a hidden class, which lies in the old generation from the start and takes along what the function can see.
 */
export function universalRequestOf(
  request: Request,
  response: Response,
  body: AsyncIterable<Uint8Array>,
  contextValues: ContextValues,
): UniversalServerRequest {
  const controller = new AbortController();
  // A request over HTTP/1.1 closes as soon as it has been read. A stream of HTTP/2 is finished also where its peer has
  // reset it, so what counts is whether it was answered.
  const stream = 'stream' in response ? response.stream : response;
  stream.once('close', () => controller.abort(response.writableEnded ? ANSWERED : GONE));
  const scheme = 'encrypted' in request.socket && request.socket.encrypted === true ? 'https' : 'http';
  const authority = 'authority' in request ? request.authority : request.headers.host;
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? '',
    url: new URL(request.url ?? '', `${scheme}://${authority}`).toString(),
    header: headersOf(request),
    body,
    signal: controller.signal,
    contextValues,
  };
}

function headersOf(request: Request): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const one of typeof value === 'string' ? [value] : value) headers.append(name, one);
  }
  return headers;
}
