import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import type { JsonReadOptions, JsonWriteOptions } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext, Interceptor } from '@connectrpc/connect';
import type { Compression } from '@connectrpc/connect/protocol';
import type { UnaryMethod } from './methods.ts';

/** What is known of a request beside its headers: a TLS socket tells its peer's certificate. */
export interface LaneRequest {
  readonly socket: Duplex;
  /** What its message is read from. */
  readonly source: Readable;
}

/** The body of a request of which a part, or all, has been read already. */
export interface Unread {
  /** All of it, from its first byte. */
  readonly body: AsyncIterable<Uint8Array>;
  /** What the rest of it comes from; whoever stops to read should let it run dry. */
  readonly source: Readable;
}

/** The stock adapter, for requests that the lane has begun to read and does not answer. */
export interface Fallback {
  http1(request: IncomingMessage, response: ServerResponse, unread: Unread): void;
  http2(request: Http2Request, unread: Unread): void;
}

/** A request over HTTP/2, as Node's `stream` event tells it. */
export interface Http2Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** Header fields that the answer has whatever it will be, as `setHeader` of an HTTP/1.1 response has them. */
  readonly answerHeaders: Readonly<Record<string, string>>;
}

/** What the lane is made of; the same things go to the stock adapter's router. */
export interface LaneOptions {
  readonly methods: readonly UnaryMethod[];
  readonly interceptors: readonly Interceptor[];
  /** Runs when the headers are there. It may run a second time, in the stock adapter; it must not be asynchronous. */
  readonly requestGate?: (context: HandlerContext) => void;
  /** Makes the values of a call. */
  readonly contextValues: (request: LaneRequest) => ContextValues;
  /** For answers. Requests are taken uncompressed only. */
  readonly acceptCompression: readonly Compression[];
  /** The smallest answer that is compressed. Default 1,024 bytes, as in connect-es. */
  readonly compressMinBytes?: number;
  readonly readMaxBytes: number;
  /** The time of a call that brings none. */
  readonly defaultTimeoutMs: number;
  readonly jsonOptions?: Partial<JsonReadOptions & JsonWriteOptions>;
  readonly fallback: Fallback;
  /** Told of a call that the lane answers, when its message has been decoded. */
  readonly onTaken?: () => void;
  /** Told of a call whose client went away before its message was there. */
  readonly onGone: (path: string, values: ContextValues) => void;
  /** Told of an answer that could not be made or sent. */
  readonly onError: (error: unknown, path: string) => void;
}
