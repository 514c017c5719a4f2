import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import type { Answer } from './answer.ts';
import type { Fallback, Http2Request, Unread } from './options.ts';

/** A request and the way to answer it, in either version of HTTP. */
export interface Exchange {
  readonly source: Readable;
  readonly socket: Duplex;
  readonly url: () => string;
  /** Calls once, when there is nobody to answer any more, because they have gone or have been answered. */
  onClose(closed: () => void): void;
  send(answer: Answer): void;
  handOver(unread: Unread): void;
  /** Ends it without an answer. */
  destroy(): void;
}

export class Http1Exchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #fallback: Fallback;

  constructor(request: IncomingMessage, response: ServerResponse, fallback: Fallback) {
    this.#request = request;
    this.#response = response;
    this.#fallback = fallback;
  }

  get source(): Readable {
    return this.#request;
  }

  get socket(): Duplex {
    return this.#request.socket;
  }

  get url(): () => string {
    const { socket, url, headers } = this.#request;
    return () => urlOf(socket, url!, headers.host!);
  }

  // The request's own `close` comes as soon as it has been read.
  onClose(closed: () => void): void {
    this.#response.on('close', closed);
  }

  send({ status, header, body }: Answer): void {
    this.#response.writeHead(status, header);
    this.#response.end(body);
  }

  handOver(unread: Unread): void {
    this.#fallback.http1(this.#request, this.#response, unread);
  }

  destroy(): void {
    this.#response.destroy();
  }
}

export class Http2Exchange implements Exchange {
  readonly #request: Http2Request;
  readonly #fallback: Fallback;

  constructor(request: Http2Request, fallback: Fallback) {
    this.#request = request;
    this.#fallback = fallback;
  }

  get source(): Readable {
    return this.#request.stream;
  }

  get socket(): Duplex {
    return this.#request.stream.session!.socket;
  }

  get url(): () => string {
    const { socket } = this;
    const { headers } = this.#request;
    return () => urlOf(socket, headers[':path']!, headers[':authority']!);
  }

  onClose(closed: () => void): void {
    this.#request.stream.on('close', closed);
  }

  send({ status, header, body, trailer }: Answer): void {
    const { stream, answerHeaders } = this.#request;
    const headers = { ...answerHeaders, ...header, ':status': status };
    if (trailer === undefined) stream.respond(headers);
    else {
      stream.respond(headers, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(trailer));
    }
    stream.end(body);
  }

  handOver(unread: Unread): void {
    this.#fallback.http2(this.#request, unread);
  }

  destroy(): void {
    this.#request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** The origin of the last request: nearly every request has the same. */
let known = { authority: '', scheme: '', origin: '' };

/** @param target a path of ours, which a URL leaves as it is */
function urlOf(socket: Duplex, target: string, authority: string): string {
  const scheme = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http';
  if (known.authority !== authority || known.scheme !== scheme)
    known = { authority, scheme, origin: new URL(`${scheme}://${authority}`).origin };
  return known.origin + target;
}
