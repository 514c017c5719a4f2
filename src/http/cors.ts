import { cors } from '@connectrpc/connect';
import type { RouteHandler } from './plain-routes.ts';

/** How long a browser may remember a preflight, in seconds: the most that Chromium keeps one. */
const MAX_AGE_S = 7200;

const METHODS = cors.allowedMethods.join(', ');
const REQUEST_HEADERS = [...cors.allowedHeaders, 'authorization', 'x-request-id'].join(', ');
const NONE: Readonly<Record<string, string>> = {};
const RESPONSE_HEADERS = [...cors.exposedHeaders, 'x-request-id'].join(', ');

/** CORS as {@link createCors} makes it: the handler, and what it sets on every answer but a preflight's. */
export interface Cors extends RouteHandler {
  /** The header fields of an answer to a request of this origin. */
  answerHeaders(origin: string | undefined): Readonly<Record<string, string>>;
}

/**
 * CORS for gRPC-web and Connect. The returned handler is called before every other: it answers a preflight (204) and
 * then returns true; on any other request it sets the answer's headers and returns false. An origin that is not listed
 * gets no header that would let it in. Credentials (cookies) are not allowed; a bearer token needs none.
 * @param origins exact origins, such as `https://app.example.org`; empty: no CORS header at all
 * @throws TypeError that names each entry that is no origin (path, trailing slash, `*`, `null`)
 */
export function createCors(origins: readonly string[]): Cors {
  const wrong = origins.filter((origin) => !isOrigin(origin));
  if (wrong.length > 0) {
    throw new TypeError(`not an origin (scheme://host[:port], nothing after it): ${wrong.join(', ')}`);
  }
  if (origins.length === 0) {
    return Object.assign(() => false, { answerHeaders: () => NONE });
  }
  const allowed = new Set(origins);

  const handle: RouteHandler = (req, res) => {
    const origin = req.headers.origin;
    const admitted = origin !== undefined && allowed.has(origin);
    res.setHeader('vary', 'origin');
    if (admitted) {
      res.setHeader('access-control-allow-origin', origin);
    }
    const isPreflight =
      req.method === 'OPTIONS' &&
      origin !== undefined &&
      req.headers['access-control-request-method'] !== undefined;
    if (isPreflight) {
      if (admitted) {
        res.setHeader('access-control-allow-methods', METHODS);
        res.setHeader('access-control-allow-headers', REQUEST_HEADERS);
        res.setHeader('access-control-max-age', String(MAX_AGE_S));
      }
      res.statusCode = 204;
      res.end();
      return true;
    }
    if (admitted) {
      res.setHeader('access-control-expose-headers', RESPONSE_HEADERS);
    }
    return false;
  };
  const answerHeaders = (origin: string | undefined) => ({
    vary: 'origin',
    ...(origin !== undefined &&
      allowed.has(origin) && {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': RESPONSE_HEADERS,
      }),
  });
  return Object.assign(handle, { answerHeaders });
}

function isOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && url.origin === origin && url.origin !== 'null';
}
