import type { HttpRequest, HttpResponse } from './types.ts';

/** Where the plain routes get their answers from. */
export interface PlainRoutesOptions {
  /** Whether the service works, for `/health`. */
  health(): boolean;
  /** Whether it wants traffic, and what that rests on, for `/readyz`. A rejection counts as not ready. */
  ready(): Promise<{ ready: boolean; checks: Record<string, unknown> }>;
  /** The metrics page and its content type. A rejection is answered 500. */
  metrics(): Promise<{ contentType: string; body: string }>;
  /**
   * Whether a request may see `/metrics` and the checks of `/readyz`, or the status that `/metrics` refuses it with.
   * A rejection is answered 500.
   */
  mayDiagnose(request: HttpRequest): Promise<true | 401 | 403 | 429 | 503>;
  /** Told what `ready` or `metrics` rejected with. Default: nobody is told. */
  onError?(err: unknown): void;
}

/** Answers a request if its path is one of its own: true says that it has, or will. */
export type RouteHandler = (req: HttpRequest, res: HttpResponse) => boolean;

interface Page {
  status: number;
  contentType: string;
  body: string;
  headers?: Record<string, string>;
}

/**
 * GET and HEAD of `/health`, `/livez`, `/readyz` (JSON; 503 when unhealthy or not ready) and `/metrics`; any other verb
 * on them is answered 405. Nothing of it may be cached.
 */
export function createPlainRoutes(options: PlainRoutesOptions): RouteHandler {
  const report = (err: unknown) => options.onError?.(err);
  const pages: Record<string, (request: HttpRequest) => Page | Promise<Page>> = {
    '/health': () => {
      const healthy = options.health();
      return json(healthy ? 200 : 503, { status: healthy ? 'healthy' : 'unhealthy' });
    },
    '/livez': () => json(200, { status: 'alive' }),
    '/readyz': async (request) => {
      try {
        const [{ ready, checks }, allowed] = await Promise.all([
          options.ready(),
          options.mayDiagnose(request),
        ]);
        const status = ready ? 'ready' : 'not_ready';
        return json(ready ? 200 : 503, allowed === true ? { status, checks } : { status });
      } catch (err) {
        report(err);
        return json(503, { status: 'not_ready', checks: {} });
      }
    },
    '/metrics': async (request) => {
      try {
        const allowed = await options.mayDiagnose(request);
        if (allowed !== true) return refusal(allowed);
        return { status: 200, ...(await options.metrics()) };
      } catch (err) {
        report(err);
        return json(500, { status: 'error' });
      }
    },
  };
  const byPath = new Map(Object.entries(pages));

  return (req, res) => {
    const target = req.url ?? '';
    const query = target.indexOf('?');
    const page = byPath.get(query === -1 ? target : target.slice(0, query));
    if (page === undefined) {
      return false;
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      send(res, json(405, { status: 'method_not_allowed' }), true, { allow: 'GET, HEAD' });
      return true;
    }
    const withBody = req.method === 'GET';
    const made = page(req);
    if (made instanceof Promise) {
      made.then((ready) => send(res, ready, withBody)).catch(report);
    } else {
      send(res, made, withBody);
    }
    return true;
  };
}

function refusal(status: 401 | 403 | 429 | 503): Page {
  const words = { 401: 'unauthenticated', 403: 'permission_denied', 429: 'rate_limited', 503: 'unavailable' };
  const page = json(status, { status: words[status] });
  return status === 401 ? { ...page, headers: { 'www-authenticate': 'Bearer' } } : page;
}

function json(status: number, value: unknown): Page {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}

function send(res: HttpResponse, page: Page, withBody: boolean, more: Record<string, string> = {}): void {
  const headers = {
    'content-type': page.contentType,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    ...page.headers,
    ...more,
  };
  // One call for each protocol's response: their overloads have no common signature.
  if ('stream' in res) {
    res.writeHead(page.status, headers);
  } else {
    res.writeHead(page.status, headers);
  }
  res.end(withBody ? page.body : '');
}
