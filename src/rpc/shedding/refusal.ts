import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { codeToHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { OverloadedError } from '../../domain/errors.ts';
import { translate } from '../errors.ts';
import { correlationIdOf } from '../gate.ts';

/** An answer without the parts that differ from call to call. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Over HTTP/1.1 Node sends text in one piece with the headers. */
  readonly body: Buffer | string;
}

/** The answer "overloaded" in each protocol, made once: refusing has to be cheap. */
export class Refusal {
  readonly #connect: Answer;
  readonly #grpc: Answer;
  readonly #grpcWeb: Answer;

  constructor(retryAfterMs: number) {
    const { error } = translate(new OverloadedError('the service is overloaded', retryAfterMs), '');
    const trailer = setTrailerStatus(new Headers(), error);
    const json = Buffer.from(errorToJsonBytes(error, undefined)).toString();
    this.#connect = {
      status: codeToHttpStatus(error.code),
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
      body: json,
    };
    this.#grpc = { status: 200, headers: Object.fromEntries(trailer), body: '' };
    this.#grpcWeb = { status: 200, headers: {}, body: trailerFrame(trailer) };
  }

  /** Answers a request with it, before its message is read. */
  send(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
    const contentType = request.headers['content-type'] ?? '';
    const { status, headers, body } = this.#answerTo(contentType);
    const asked = request.headers['x-request-id'];
    const all: OutgoingHttpHeaders = {
      // gRPC answers in the type of the request; in Connect an error is JSON whatever was asked.
      'content-type': contentType,
      ...headers,
      'x-request-id': correlationIdOf(typeof asked === 'string' ? asked : null),
    };
    if ('stream' in response) {
      const { stream } = response;
      // What is still to come of the message is not wanted: the stream is not left half-open for it.
      stream.once('finish', () => !request.complete && stream.close());
      response.writeHead(status, all);
    } else {
      response.writeHead(status, all);
    }
    response.end(body);
    request.resume();
  }

  #answerTo(contentType: string): Answer {
    if (!contentType.startsWith('application/grpc')) return this.#connect;
    return contentType.startsWith('application/grpc-web') ? this.#grpcWeb : this.#grpc;
  }
}

function trailerFrame(trailer: Headers): Buffer {
  const fields = trailerSerialize(trailer);
  const head = Buffer.alloc(5);
  head.writeUInt8(trailerFlag, 0);
  head.writeUInt32BE(fields.byteLength, 1);
  return Buffer.concat([head, fields]);
}
