import { Code } from '@connectrpc/connect';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { codeFromString, codeToHttpStatus } from '@connectrpc/connect/protocol-connect';

/** Asked once an answer has been made: whether an interceptor saw the call, and so made the answer itself. */
type Reached = () => boolean;
/** Told of an answer that the protocol layer made by itself. */
type OnRefused = (code: Code) => void;

const GRPC_WEB_TRAILER_FLAG = 0b10000000;
const CONNECT_END_FLAG = 0b00000010;

/**
 * connect-es answers INTERNAL where it cannot decode a binary message (`parse binary: …` in its
 * protocol/serialization.js); the fault is the caller's, so this makes it INVALID_ARGUMENT, in each protocol's
 * own place. Answers of our own handlers pass untouched.
 */
export async function blameCaller(
  response: UniversalServerResponse,
  reached: Reached,
  onRefused: OnRefused,
): Promise<UniversalServerResponse> {
  const { body } = response;
  const contentType = response.header?.get('content-type') ?? '';
  if (body === undefined) return response;
  if (/^application\/(grpc-web|connect\+)/.test(contentType))
    return { ...response, body: withLastFrame(body, reached, onRefused) };
  if (contentType.startsWith('application/grpc'))
    return { ...response, body: withTrailer(body, response.trailer, reached, onRefused) };
  return reached() ? response : await unaryError(response, body, onRefused);
}

/**
 * The answer where connect-es fails to make one. Its error quotes JSON that it cannot decode; a quote with half of
 * a surrogate pair cannot be percent-encoded for `grpc-message`, so that gRPC and gRPC-web throw a URIError.
 *
 * @param contentType the request's, which is the answer's too
 */
export function answerWithoutQuote(contentType: string, correlationId: string): UniversalServerResponse {
  const header = new Headers({ 'content-type': contentType, 'x-request-id': correlationId });
  const status = { 'grpc-status': String(Code.InvalidArgument), 'grpc-message': 'cannot decode the message' };
  if (!/^application\/grpc-web/i.test(contentType))
    return { status: 200, header, body: once(new Uint8Array()), trailer: new Headers(status) };
  const lines = Object.entries(status).map(([name, value]) => `${name}: ${value}\r\n`);
  return { status: 200, header, body: once(frame(GRPC_WEB_TRAILER_FLAG, lines.join(''))) };
}

/** gRPC: the code stands in the trailers, which are complete when the body has ended. */
async function* withTrailer(
  body: AsyncIterable<Uint8Array>,
  trailer: Headers | undefined,
  reached: Reached,
  onRefused: OnRefused,
): AsyncGenerator<Uint8Array> {
  yield* body;
  if (reached() || trailer === undefined) return;
  const code = blamed(Number(trailer.get('grpc-status')));
  trailer.set('grpc-status', String(code));
  onRefused(code);
}

/** gRPC-web and Connect streaming: the code stands in the last frame of the body. */
async function* withLastFrame(
  body: AsyncIterable<Uint8Array>,
  reached: Reached,
  onRefused: OnRefused,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const isTrailer = chunk[0] === GRPC_WEB_TRAILER_FLAG;
    if (reached() || !(isTrailer || chunk[0] === CONNECT_END_FLAG)) {
      yield chunk;
      continue;
    }
    const text = Buffer.from(chunk.subarray(5)).toString();
    let code = Code.Unknown;
    const payload = isTrailer
      ? text.replace(/^(grpc-status: *)(\d+)/m, (_, name: string, digits: string) => {
          code = blamed(Number(digits));
          return name + code;
        })
      : text.replace(/^(\{"error":\{"code":)"(\w+)"/, (_, name: string, word: string) => {
          code = blamed(codeFromString(word) ?? Code.Unknown);
          return `${name}"${word === 'internal' ? 'invalid_argument' : word}"`;
        });
    onRefused(code);
    yield frame(chunk[0] ?? 0, payload);
  }
}

/** Connect unary: the code stands in the body, and decides the HTTP status. */
async function unaryError(
  response: UniversalServerResponse,
  body: AsyncIterable<Uint8Array>,
  onRefused: OnRefused,
): Promise<UniversalServerResponse> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const word = /^\{"code":"(\w+)"/.exec(bytes.toString('latin1'))?.[1];
  const code = blamed(codeFromString(word ?? '') ?? Code.Unknown);
  onRefused(code);
  if (word !== 'internal') return { ...response, body: once(bytes) };
  const header = new Headers(response.header);
  const blamedBytes = Buffer.from(bytes.toString().replace('"internal"', '"invalid_argument"'));
  header.set('content-length', String(blamedBytes.byteLength));
  return { ...response, status: codeToHttpStatus(code), header, body: once(blamedBytes) };
}

function frame(flags: number, text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function blamed(code: Code): Code {
  return code === Code.Internal ? Code.InvalidArgument : code;
}
