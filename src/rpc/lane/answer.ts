import { type Message, toBinary, toJsonString } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type Compression, mergeNonProtocolHeaders } from '@connectrpc/connect/protocol';
import { codeToHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { ENVELOPE_BYTES } from './body.ts';
import type { Call } from './call.ts';
import type { HeaderRecord } from './headers.ts';
import type { LaneOptions } from './options.ts';

/** An answer as HTTP carries it. */
export interface Answer {
  readonly status: number;
  readonly header: HeaderRecord;
  readonly body: Uint8Array | string;
  /** HTTP trailers, which gRPC has. */
  readonly trailer?: HeaderRecord;
}

/** What became of a call. */
export type Outcome = { readonly message: Message } | { readonly error: unknown };

/**
 * From so many characters on a text is sent as bytes. Node writes a short one together with its head, but takes 4 times
 * as long over one of 128 KiB as over its bytes, and 14 times over 900 KiB.
 */
const LONG_TEXT = 65_536;

/** Makes answers as connect-es makes them, by its own functions where there are such. */
export class Answers {
  readonly #jsonOptions: LaneOptions['jsonOptions'];
  readonly #compressMinBytes: number;

  constructor({
    jsonOptions,
    compressMinBytes = 1024,
  }: Pick<LaneOptions, 'jsonOptions' | 'compressMinBytes'>) {
    this.#jsonOptions = jsonOptions;
    this.#compressMinBytes = compressMinBytes;
  }

  /** In Connect the error is the body, and trailers are header fields. */
  connect(call: Call, outcome: Outcome, compression: Compression | null): Answer | Promise<Answer> {
    const { responseHeader, responseTrailer } = call;
    let status = 200;
    let body: Uint8Array | string;
    try {
      if ('error' in outcome) throw outcome.error;
      const encoded = this.#encode(call, outcome.message);
      body = encoded.length < LONG_TEXT ? encoded : bytesOf(encoded);
    } catch (thrown) {
      const error = errorOf(thrown);
      status = codeToHttpStatus(error.code);
      responseHeader.set('content-type', 'application/json');
      if (!error.isWireError) mergeNonProtocolHeaders(responseHeader, error.metadata);
      body = errorToJsonBytes(error, this.#jsonOptions);
    }
    const trailer = responseTrailer.toRecord();
    for (const name in trailer)
      for (const value of [trailer[name] ?? []].flat()) responseHeader.append(`trailer-${name}`, value);
    const answer = (bytes: Uint8Array | string): Answer => {
      const header = responseHeader.toRecord();
      header['content-length'] = String(lengthOf(bytes));
      return { status, header, body: bytes };
    };
    if (compression === null || lengthOf(body) < this.#compressMinBytes) return answer(body);
    return compression.compress(bytesOf(body)).then((compressed) => {
      responseHeader.set('content-encoding', compression.name);
      return answer(compressed);
    });
  }

  /** In gRPC the status stands in the trailers, whatever became of the call. */
  grpc(call: Call, outcome: Outcome, compression: Compression | null): Answer | Promise<Answer> {
    const { responseHeader, responseTrailer } = call;
    if (compression !== null) responseHeader.set('grpc-encoding', compression.name);
    const answer = (body: Uint8Array): Answer => ({
      status: 200,
      header: responseHeader.toRecord(),
      body,
      trailer: responseTrailer.toRecord(),
    });
    const fail = (thrown: unknown): Answer => {
      setGrpcStatus(responseTrailer, errorOf(thrown));
      return answer(new Uint8Array());
    };
    if ('error' in outcome) return fail(outcome.error);
    let message: Uint8Array;
    try {
      message = bytesOf(this.#encode(call, outcome.message));
    } catch (error) {
      return fail(error);
    }
    if (compression === null || message.byteLength < this.#compressMinBytes)
      return answer(envelope(0, message));
    return compression.compress(message).then((compressed) => answer(envelope(1, compressed)), fail);
  }

  #encode({ method, format }: Call, message: Message): Uint8Array | string {
    const { output } = method;
    try {
      return format.binary ? toBinary(output, message) : toJsonString(output, message, this.#jsonOptions);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw format.binary
        ? new ConnectError(`serialize binary: ${text}`, Code.Internal)
        : ConnectError.from(error, Code.Internal);
    }
  }
}

function errorOf(thrown: unknown): ConnectError {
  return thrown instanceof ConnectError
    ? thrown
    : new ConnectError('internal error', Code.Internal, undefined, undefined, thrown);
}

/** Half of a surrogate pair cannot be percent-encoded for `grpc-message`; the code is to arrive all the same. */
function setGrpcStatus(trailer: Headers, error: ConnectError): void {
  if (error.rawMessage.isWellFormed()) {
    setTrailerStatus(trailer, error);
    return;
  }
  const sendable = new ConnectError(error.rawMessage.toWellFormed(), error.code, error.metadata);
  sendable.details = error.details;
  setTrailerStatus(trailer, sendable);
}

function envelope(flags: number, message: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + message.byteLength);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt32BE(message.byteLength, 1);
  bytes.set(message, ENVELOPE_BYTES);
  return bytes;
}

function lengthOf(body: Uint8Array | string): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}
