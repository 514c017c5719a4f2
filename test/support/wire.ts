import http from 'node:http';
import http2 from 'node:http2';
import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { detailsOfConnect, detailsOfStatus, type ErrorDetails } from './error-details.ts';

/** The encodings of a unary call, made by hand: no Connect client stands between a test and the bytes. */
export const WIRES = ['connect-json', 'connect-binary', 'grpc', 'grpc-web'] as const;
export type Wire = (typeof WIRES)[number];

/** A method of SequenceService, as the contract spells it. */
export type Method = (typeof METHODS)[number];
export const METHODS = SequenceService.methods.map(({ name }) => name);

/** What came back: the HTTP answer, and what the protocol says in it. */
export interface Reply extends ErrorDetails {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** As gRPC spells it, `OK` included; empty where the answer is plain HTTP. */
  readonly code: string;
  readonly message: string;
  /** The answer of a success as JSON. */
  readonly answer: JsonObject;
}

export interface RawRequest {
  readonly verb?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

const CONTENT_TYPES: Readonly<Record<Wire, string>> = {
  'connect-json': 'application/json',
  'connect-binary': 'application/proto',
  grpc: 'application/grpc',
  'grpc-web': 'application/grpc-web+proto',
};
const TRAILER_FLAG = 0x80;

/** Calls a method with a message in JSON form, in the encoding of the wire. */
export async function call(
  url: string,
  wire: Wire,
  method: string,
  message: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return await callBytes(url, wire, method, encode(wire, method, message), headers);
}

/** Calls a method with these bytes as the message. */
export async function callBytes(
  url: string,
  wire: Wire,
  method: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const framed = wire === 'grpc' || wire === 'grpc-web';
  const request = {
    path: pathOf(method),
    headers: { ...headersOf(wire), ...headers },
    body: framed ? frame(message) : message,
  };
  return await exchange(url, wire, method, request);
}

/** Sends a request as it is, and reads the answer as the wire's protocol. */
export async function exchange(url: string, wire: Wire, method: string, request: RawRequest): Promise<Reply> {
  const answer = await (wire === 'grpc' ? overHttp2(url, request) : overHttp1(url, request));
  return interpret(wire, method, answer);
}

export function pathOf(method: string): string {
  return `/${SequenceService.typeName}/${method}`;
}

export function headersOf(wire: Wire): Record<string, string> {
  return { 'content-type': CONTENT_TYPES[wire], ...(wire === 'grpc' && { te: 'trailers' }) };
}

/** A message in JSON form as the bytes of a wire, without a frame. JSON is sent as it is, unknown fields and all. */
export function encode(wire: Wire, method: string, message: JsonObject): Uint8Array {
  if (wire === 'connect-json') return Buffer.from(JSON.stringify(message));
  const { input } = descOf(method);
  return toBinary(input, fromJson(input, message));
}

/** gRPC's five bytes before a message. */
export function frame(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

function descOf(method: string) {
  const desc = SequenceService.methods.find(({ name }) => name === method);
  if (desc === undefined) throw new Error(`no method ${method}`);
  return desc;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function interpret(wire: Wire, method: string, { status, headers, body }: RawAnswer): Reply {
  const base = { status, headers, body, code: '', message: '', answer: {}, violations: [] };
  if (wire === 'connect-json' || wire === 'connect-binary') {
    if (status === 200) return success(base, () => decode(wire, method, body));
    if (headers['content-type'] !== 'application/json') return base;
    const error = JSON.parse(body.toString()) as { code: string; message?: string; details?: JsonObject[] };
    const code = error.code === 'canceled' ? 'CANCELLED' : error.code.toUpperCase();
    return { ...base, code, message: error.message ?? '', ...detailsOfConnect(error.details ?? []) };
  }
  const frames = framesOf(body);
  const trailer = frames.find(({ flags }) => flags === TRAILER_FLAG)?.payload.toString() ?? '';
  const fields = { ...headers, ...Object.fromEntries(trailer.split('\r\n').map(trailerField)) };
  const number = fields['grpc-status'];
  if (number === undefined) return base;
  const code = grpc.status[Number(number)] ?? `unknown status ${number}`;
  const message = decodeURIComponent(fields['grpc-message'] ?? '');
  if (code !== 'OK')
    return { ...base, code, message, ...detailsOfStatus(fields['grpc-status-details-bin'] ?? '') };
  const [first] = frames;
  return success(base, () => decode(wire, method, first?.payload ?? Buffer.alloc(0)));
}

/** The answer is decoded when it is asked for: a method of another service has none that is known here. */
function success(base: Reply, answer: () => JsonObject): Reply {
  return {
    ...base,
    code: 'OK',
    get answer() {
      return answer();
    },
  };
}

function decode(wire: Wire, method: string, bytes: Buffer): JsonObject {
  if (wire === 'connect-json') return JSON.parse(bytes.toString()) as JsonObject;
  const { output } = descOf(method);
  return toJson(output, fromBinary(output, bytes)) as JsonObject;
}

function framesOf(body: Buffer): { flags: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    frames.push({ flags: body.readUInt8(at), payload: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

function trailerField(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

const agent = new http.Agent({ keepAlive: true });

/** One request over HTTP/1.1. */
export async function overHttp1(url: string, { verb = 'POST', path, headers, body }: RawRequest) {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const length = verb === 'GET' || verb === 'HEAD' ? {} : { 'content-length': body?.byteLength ?? 0 };
  const request = http.request(`${url}${path}`, { method: verb, agent, headers: { ...length, ...headers } });
  request.on('error', reject);
  request.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('error', reject);
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () =>
      resolve({
        status: response.statusCode!,
        headers: flat({ ...response.headers, ...response.trailers }),
        body: Buffer.concat(chunks),
      }),
    );
  });
  request.end(body);
  return await promise;
}

const sessions = new Map<string, http2.ClientHttp2Session>();

/** One request over cleartext HTTP/2; requests to one URL share a connection. */
export async function overHttp2(url: string, { verb = 'POST', path, headers, body }: RawRequest) {
  let session = sessions.get(url);
  if (session === undefined || session.closed || session.destroyed) {
    session = http2.connect(url);
    session.on('error', () => {});
    sessions.set(url, session);
  }
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const stream = session.request(
    { ':method': verb, ':path': path, ...headers },
    { endStream: body === undefined },
  );
  const chunks: Buffer[] = [];
  const fields: Record<string, unknown> = {};
  stream.on('error', reject);
  stream.on('response', (response) => Object.assign(fields, response));
  stream.on('trailers', (trailers) => Object.assign(fields, trailers));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('close', () => reject(new Error(`no answer; reset code ${stream.rstCode}`)));
  stream.on('end', () => {
    if (fields[':status'] === undefined) return;
    resolve({ status: Number(fields[':status']), headers: flat(fields), body: Buffer.concat(chunks) });
    // An answer may come before all of a large request has gone; the rest is not wanted.
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
  });
  if (body !== undefined) stream.end(body);
  return await promise;
}

function flat(headers: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Closes the connections that the helpers above keep. */
export function hangUp(url: string): void {
  agent.destroy();
  sessions.get(url)?.destroy();
}
