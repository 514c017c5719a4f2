import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { isAuthority, isTarget } from './authority.ts';
import type { HttpRequest, HttpResponse, ProtocolOptions, RefusedReason } from './types.ts';

interface Refusal {
  reason: RefusedReason;
  status: number;
  text: string;
}

const TOO_MANY_HEADERS: Refusal = {
  reason: 'too_many_headers',
  status: 431,
  text: 'the request has too many header fields',
};
const HEADER_TOO_LARGE: Refusal = {
  reason: 'header_too_large',
  status: 431,
  text: 'the header section of the request is too large',
};
const TWO_HOSTS: Refusal = {
  reason: 'malformed_request',
  status: 400,
  text: 'the request has more than one Host header',
};
const BAD_AUTHORITY: Refusal = {
  reason: 'bad_authority',
  status: 400,
  text: 'the Host header or :authority of the request is missing or invalid',
};
const BAD_TARGET: Refusal = { reason: 'bad_target', status: 400, text: 'the request target is invalid' };
const UNSUPPORTED_EXPECTATION: Refusal = {
  reason: 'unsupported_request',
  status: 417,
  text: 'the only expectation that is met is 100-continue',
};
const CONNECT: Refusal = { reason: 'unsupported_request', status: 501, text: 'CONNECT is not served' };

/** Lets a request with sound headers through to the handler, and answers every other itself. */
export function admit(options: ProtocolOptions, req: HttpRequest, res: HttpResponse): void {
  const refusal = faultOf(options, req);
  if (refusal !== undefined) {
    refuse(options, res, refusal);
    return;
  }
  const fail = (err: unknown) => {
    options.hooks.onError(err);
    answerFault(res);
  };
  // A peer that goes away from a request which nobody reads any more; its handler learns of it by `close`.
  req.on('error', () => {});
  // Without a listener, a handler's write after its end would be uncaught.
  res.on('error', (err: unknown) => options.hooks.onError(err));
  try {
    const done = options.hooks.onRequest(req, res);
    if (done !== undefined) {
      done.catch(fail);
    }
  } catch (err) {
    fail(err);
  }
}

/** Answers an `Expect` other than 100-continue. */
export function refuseExpectation(options: ProtocolOptions, res: HttpResponse): void {
  refuse(options, res, UNSUPPORTED_EXPECTATION);
}

/** Answers CONNECT over HTTP/2; over HTTP/1.1 there is no response to write to. */
export function refuseConnect(options: ProtocolOptions, res: HttpResponse): void {
  refuse(options, res, CONNECT);
}

/** Offers a stream with sound headers to onStream; whether it has been taken. */
export function admitStream(
  options: ProtocolOptions,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[],
): boolean {
  const authority = headers[':authority'];
  const head = { rawHeaders, httpVersionMajor: 2, authority, url: headers[':path'] };
  if (authority === undefined || faultOf(options, head) !== undefined) {
    return false;
  }
  try {
    return options.hooks.onStream?.(stream, headers, rawHeaders) === true;
  } catch (err) {
    options.hooks.onError(err);
    stream.close(0x2);
    return true;
  }
}

/** What a fault can be found in. */
interface RequestHead {
  readonly rawHeaders: readonly string[];
  readonly httpVersionMajor: number;
  readonly url?: string | undefined;
  readonly authority?: string | undefined;
  readonly headers?: { readonly host?: string | undefined };
}

function faultOf({ limits }: ProtocolOptions, req: RequestHead): Refusal | undefined {
  const raw = req.rawHeaders;
  const isHttp2 = req.httpVersionMajor === 2;
  let count = 0;
  let hosts = 0;
  let size = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    if (name.charCodeAt(0) !== 0x3a) {
      count += 1;
    }
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1;
    }
    size += name.length + raw[i + 1]!.length + 32;
  }
  if (count > limits.maxHeaderCount) {
    return TOO_MANY_HEADERS;
  }
  // HTTP/1.1's parser has already counted the bytes.
  if (isHttp2 && size > limits.maxHeaderBytes) {
    return HEADER_TOO_LARGE;
  }
  if (hosts > 1) {
    return TWO_HOSTS;
  }
  // The same choice as connect-node's.
  const authority = 'authority' in req ? req.authority : req.headers?.host;
  if (!isAuthority(authority)) {
    return BAD_AUTHORITY;
  }
  return isTarget(req.url, authority) ? undefined : BAD_TARGET;
}

function refuse(options: ProtocolOptions, res: HttpResponse, refusal: Refusal): void {
  options.hooks.onRefused(refusal.reason);
  res.on('error', () => {});
  answer(res, refusal.status, `${refusal.text}\n`);
}

function answerFault(res: HttpResponse): void {
  if (!res.headersSent && !res.writableEnded && !isGone(res)) {
    answer(res, 500, 'internal error\n');
  } else if (!res.writableEnded) {
    // A truncated answer must not look like a whole one.
    if ('stream' in res) {
      res.stream?.close(0x2);
    } else {
      res.destroy();
    }
  }
}

function isGone(res: HttpResponse): boolean {
  return 'stream' in res ? res.stream === undefined || res.stream.destroyed : res.destroyed;
}

function answer(res: HttpResponse, status: number, text: string): void {
  const headers: Record<string, string | number> = {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  };
  if ('stream' in res) {
    res.writeHead(status, headers);
  } else {
    // What follows on this connection is not to be trusted to be where it seems.
    res.writeHead(status, { ...headers, connection: 'close' });
  }
  res.end(text);
}
