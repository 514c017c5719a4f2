import { afterEach, describe, expect, test } from 'vitest';
import { createCors } from '../../src/http/cors.ts';
import { createPlainRoutes, type PlainRoutesOptions } from '../../src/http/plain-routes.ts';
import { cleanUp, h1get, h2connect, h2get, run } from './harness.ts';

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

async function serve(overrides: Partial<PlainRoutesOptions> = {}) {
  const routes = createPlainRoutes({
    health: () => true,
    ready: async () => ({ ready: true, checks: { database: { ok: true } } }),
    mayDiagnose: async () => true,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'ä 1\n' }),
    ...overrides,
  });
  return run((req, res) => {
    if (!routes(req, res)) {
      res.statusCode = 404;
      res.end();
    }
  });
}

describe('plain routes', () => {
  test.each([
    ['/health', 'application/json', '{"status":"healthy"}'],
    ['/health?x=1', 'application/json', '{"status":"healthy"}'],
    ['/livez', 'application/json', '{"status":"alive"}'],
    ['/readyz', 'application/json', '{"status":"ready","checks":{"database":{"ok":true}}}'],
    ['/metrics', 'text/plain; version=0.0.4', 'ä 1\n'],
  ])('%s, by GET and HEAD, in both protocols', async (path, type, body) => {
    const { port } = await serve();
    const session = h2connect(port);
    const headers = {
      'content-type': type,
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
    };
    expect(await h1get(port, { path })).toMatchObject({ status: 200, body, headers });
    expect(await h1get(port, { path, method: 'HEAD' })).toMatchObject({ status: 200, body: '', headers });
    expect(await h2get(session, { ':path': path })).toMatchObject({ status: 200, body, headers });
    expect(await h2get(session, { ':path': path, ':method': 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers,
    });
  });

  test('unhealthy and not ready are 503', async () => {
    const { port } = await serve({
      health: () => false,
      ready: async () => ({ ready: false, checks: { database: 'down' } }),
    });
    expect(await h1get(port, { path: '/health' })).toMatchObject({
      status: 503,
      body: '{"status":"unhealthy"}',
    });
    expect(await h1get(port, { path: '/readyz' })).toMatchObject({
      status: 503,
      body: '{"status":"not_ready","checks":{"database":"down"}}',
    });
  });

  test('what fails is reported and answered', async () => {
    const errors: unknown[] = [];
    const failure = new Error('secret');
    const { port } = await serve({
      ready: () => Promise.reject(failure),
      metrics: () => Promise.reject(failure),
      onError: (err) => errors.push(err),
    });
    expect(await h1get(port, { path: '/readyz' })).toMatchObject({
      status: 503,
      body: '{"status":"not_ready","checks":{}}',
    });
    expect(await h1get(port, { path: '/metrics' })).toMatchObject({
      status: 500,
      body: '{"status":"error"}',
    });
    expect(errors).toEqual([failure, failure]);
  });

  test('other verbs are 405, other paths are not ours', async () => {
    const { port } = await serve();
    expect(await h1get(port, { path: '/health', method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
    expect((await h2get(h2connect(port), { ':path': '/metrics', ':method': 'DELETE' })).status).toBe(405);
    for (const path of ['/', '/healthz', '/health/', '/constructor', '//health']) {
      expect((await h1get(port, { path })).status).toBe(404);
    }
  });
});

describe('CORS', () => {
  const origin = 'https://app.example.org';

  function withCors(origins: string[]) {
    const cors = createCors(origins);
    return run((req, res) => {
      if (!cors(req, res)) {
        // As connect-node writes: headers by writeHead, beside those that are set.
        (res as import('node:http').ServerResponse).writeHead(200, { 'content-type': 'application/json' });
        res.end();
      }
    });
  }
  const preflight = { origin, 'access-control-request-method': 'POST' };

  test('a preflight of a listed origin', async () => {
    const { port } = await withCors(['http://localhost:5173', origin]);
    for (const answer of [
      await h1get(port, { method: 'OPTIONS', headers: preflight }),
      await h2get(h2connect(port), { ':method': 'OPTIONS', ...preflight }),
    ]) {
      expect(answer).toMatchObject({
        status: 204,
        headers: {
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'POST, GET',
          'access-control-max-age': '7200',
          vary: 'origin',
        },
      });
      const allowed = String(answer.headers['access-control-allow-headers']).toLowerCase().split(', ');
      for (const name of [
        'content-type',
        'connect-protocol-version',
        'x-grpc-web',
        'authorization',
        'x-request-id',
      ]) {
        expect(allowed).toContain(name);
      }
    }
  });

  test('a request of a listed origin', async () => {
    const { port } = await withCors([origin]);
    for (const answer of [
      await h1get(port, { headers: { origin } }),
      await h2get(h2connect(port), { origin }),
    ]) {
      expect(answer).toMatchObject({
        status: 200,
        headers: {
          'access-control-allow-origin': origin,
          vary: 'origin',
          'content-type': 'application/json',
        },
      });
      const exposed = String(answer.headers['access-control-expose-headers']).toLowerCase().split(', ');
      expect(exposed).toEqual(expect.arrayContaining(['grpc-status', 'grpc-message', 'x-request-id']));
    }
  });

  test.each(['https://app.example.org.evil.net', 'http://app.example.org', 'null'])(
    'nothing for the origin %s',
    async (other) => {
      const { port } = await withCors([origin]);
      const answers = [
        await h1get(port, { headers: { origin: other } }),
        await h1get(port, { method: 'OPTIONS', headers: { ...preflight, origin: other } }),
      ];
      for (const answer of answers) {
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
        expect(answer.headers.vary).toBe('origin');
      }
      expect(answers.map((answer) => answer.status)).toEqual([200, 204]);
    },
  );

  test('no list, no header', async () => {
    const { port } = await withCors([]);
    const answer = await h1get(port, { method: 'OPTIONS', headers: preflight });
    expect(answer.status).toBe(200);
    expect(answer.headers.vary).toBeUndefined();
  });

  test('a plain OPTIONS is no preflight', async () => {
    const { port } = await withCors([origin]);
    expect((await h1get(port, { method: 'OPTIONS', headers: { origin } })).status).toBe(200);
  });

  test('what is no origin is refused at the start, each of them named', () => {
    expect(() => createCors([origin, '*', 'https://x.org/', 'null'])).toThrow('*, https://x.org/, null');
  });
});
