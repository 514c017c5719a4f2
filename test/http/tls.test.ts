import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ListenerLimits } from '../../src/http/limits.ts';
import { Authority, type Certificate, HAS_OPENSSL, LOCALHOST } from '../support/certificates.ts';
import { cleanUp, h2get, type Running, run, waitFor } from './harness.ts';

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

describe.skipIf(!HAS_OPENSSL)(`TLS on the one port${HAS_OPENSSL ? '' : ' (skipped: no openssl)'}`, () => {
  let folder: string;
  let authority: Authority;
  let server: Certificate;
  const opened: { destroy(): unknown }[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tls-'));
    authority = new Authority(folder, 'ca');
    server = authority.issue('server', LOCALHOST);
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.destroy();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const material = (clientCa?: string) => ({ cert: server.cert, key: server.key, clientCa });
  const serve = (limits: Partial<ListenerLimits> = {}, clientCa?: string) =>
    run(
      (req, res) => {
        res.setHeader('x-version', req.httpVersion);
        res.end('hello');
      },
      limits,
      material(clientCa),
    );

  function h2over(running: Running, options: tls.ConnectionOptions = {}) {
    const session = http2.connect(`https://127.0.0.1:${running.port}`, { ca: authority.ca.cert, ...options });
    session.on('error', () => {});
    opened.push(session);
    return session;
  }

  function h1over(
    { port }: Running,
    options: https.RequestOptions = {},
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const request = https.get(
        { host: '127.0.0.1', port, ca: authority.ca.cert, agent: false, ...options },
        (response) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      request.on('error', reject);
    });
  }

  /** A connection that has finished its handshake, and says no more than it is told to. */
  function secure({ port }: Running, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ca: authority.ca.cert, ...options }, () =>
        resolve(socket),
      );
      socket.on('error', reject);
      opened.push(socket);
    });
  }

  const closed = (socket: net.Socket) =>
    new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });

  test('ALPN tells HTTP/2 from HTTP/1.1; without ALPN it is HTTP/1.1', async () => {
    const running = await serve();
    expect(await h2get(h2over(running))).toMatchObject({ body: 'hello', headers: { 'x-version': '2.0' } });
    expect(await h1over(running)).toEqual({ status: 200, text: 'hello' });
    const both = await secure(running, { ALPNProtocols: ['http/1.1', 'h2'] });
    expect(both.alpnProtocol).toBe('h2');
    const none = await secure(running);
    expect(none.alpnProtocol).toBe(false);
    none.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await closed(none)).toContain('x-version: 1.1');
    expect(running.refused).toEqual([]);
  });

  test.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('%s: %s', async (version, spoken) => {
    const running = await serve();
    // Old versions are outside of what OpenSSL's default security level lets a client speak.
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const connected = await secure(running, options).then(
      (socket) => socket.getProtocol(),
      () => undefined,
    );
    expect(connected).toBe(spoken ? version : undefined);
    if (!spoken) await waitFor(() => running.refused.includes('tls_handshake'));
  });

  test('cleartext and garbage are refused and counted', async () => {
    const running = await serve();
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\0'.repeat(20),
    ]) {
      const socket = net.connect(running.port, '127.0.0.1');
      opened.push(socket);
      socket.write(bytes);
      expect(await closed(socket)).not.toContain('HTTP/1.1 200');
    }
    expect(running.refused).toEqual(['tls_handshake', 'tls_handshake', 'tls_handshake']);
  });

  test('HTTP/2 that was not agreed upon is refused', async () => {
    const running = await serve();
    const socket = await secure(running);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await closed(socket);
    expect(running.refused).toEqual(['malformed_request']);
  });

  describe('the limits hold as without TLS:', () => {
    test('a handshake that does not end', async () => {
      const running = await serve({ firstByteTimeoutMs: 100 });
      const socket = net.connect(running.port, '127.0.0.1');
      opened.push(socket);
      socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
      await closed(socket);
      expect(running.refused).toEqual(['tls_handshake']);
    });

    test('nothing after the handshake', async () => {
      const running = await serve({ firstByteTimeoutMs: 100 });
      await closed(await secure(running));
      expect(running.refused).toEqual(['first_byte_timeout']);
    });

    test('headers that do not end', async () => {
      const running = await serve({ headersTimeoutMs: 100, requestTimeoutMs: 200 });
      const socket = await secure(running);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
      expect(await closed(socket)).toContain('HTTP/1.1 408');
      expect(running.refused).toEqual(['header_timeout']);
    });

    test('headers that are too large, in both protocols', async () => {
      const running = await serve({ maxHeaderBytes: 2048 });
      const headers = { 'x-large': 'x'.repeat(3000) };
      expect((await h1over(running, { headers })).status).toBe(431);
      expect(await h2get(h2over(running), headers)).toMatchObject({ status: 431 });
    });

    test('an idle HTTP/2 connection gets a GOAWAY', async () => {
      const running = await serve({ idleTimeoutMs: 100 });
      const session = h2over(running);
      await h2get(session);
      await waitFor(() => session.closed);
    });

    test('connections beyond the most', async () => {
      const running = await serve({ maxConnections: 1 });
      await secure(running);
      await expect(secure(running)).rejects.toThrow();
      expect(running.refused).toEqual(['too_many_connections']);
    });

    test('a stop closes what shakes hands or is idle', async () => {
      const running = await serve();
      const shaking = net.connect(running.port, '127.0.0.1');
      opened.push(shaking);
      const idle = await secure(running);
      const session = h2over(running);
      await h2get(session);
      await waitFor(() => running.listener.connections() === 3);
      const ends = [closed(shaking), closed(idle)];
      await running.listener.stop();
      await Promise.all(ends);
      expect(running.listener.connections()).toBe(0);
    });
  });

  test('new certificates are for new connections; open ones go on', async () => {
    const running = await serve();
    const session = h2over(running);
    await h2get(session);
    const next = authority.issue('next', { ...LOCALHOST, subject: '/CN=next' });
    running.listener.renewTls({ cert: next.cert, key: next.key, clientCa: undefined });
    expect((await secure(running)).getPeerCertificate().subject.CN).toBe('next');
    expect(await h2get(session)).toMatchObject({ body: 'hello' });
    expect(() =>
      running.listener.renewTls({ cert: next.cert, key: server.key, clientCa: undefined }),
    ).toThrow();
    expect((await secure(running)).getPeerCertificate().subject.CN).toBe('next');
  });

  describe('client certificates', () => {
    test('a good one and none are let in', async () => {
      const running = await serve({}, authority.ca.cert);
      const { cert, key } = authority.issue('client', { subject: '/CN=alice' });
      expect(await h1over(running, { cert, key })).toMatchObject({ status: 200 });
      expect(await h1over(running)).toMatchObject({ status: 200 });
    });

    test.each([
      [
        'of another authority',
        () => new Authority(folder, 'other').issue('client', { subject: '/CN=alice' }),
      ],
      [
        'that has expired',
        () =>
          authority.issue('old', { subject: '/CN=alice', from: '20200101000000Z', until: '20210101000000Z' }),
      ],
      [
        'that is not valid yet',
        () => authority.issue('young', { subject: '/CN=alice', from: '20900101000000Z' }),
      ],
    ])('one %s ends the connection', async (_, make) => {
      const running = await serve({}, authority.ca.cert);
      const { cert, key } = make();
      await expect(h1over(running, { cert, key })).rejects.toThrow();
      expect(running.refused).toEqual(['tls_handshake']);
    });
  });
});
