import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { isAuthority, isTarget } from '../../src/http/authority.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/types.ts';
import { cleanUp, h1get, h2connect, h2get, Raw, run, waitFor } from './harness.ts';

let seen: string[] = [];

function answer(req: HttpRequest, res: HttpResponse): void {
  const authority = 'authority' in req ? req.authority : req.headers.host;
  // What connect-node does with every request.
  seen.push(new URL(req.url ?? '', `http://${authority}`).toString());
  res.end();
}

afterEach(async () => {
  seen = [];
  expect(await cleanUp()).toBe(false);
});

describe('headers', () => {
  test('HTTP/1.1: too large is 431', async () => {
    const { port, refused } = await run(answer, { maxHeaderBytes: 2000 });
    expect((await h1get(port, { headers: { a: 'x'.repeat(1500) } })).status).toBe(200);
    expect((await h1get(port, { headers: { a: 'x'.repeat(2000) } })).status).toBe(431);
    expect(refused).toEqual(['header_too_large']);
  });

  test('HTTP/1.1: the answer reaches a peer that has sent much more', async () => {
    const { port } = await run(answer, { maxHeaderBytes: 2000 });
    const raw = new Raw(port);
    raw.write(`GET / HTTP/1.1\r\nHost: x\r\n${`a: ${'x'.repeat(1000)}\r\n`.repeat(2000)}\r\n`);
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('HTTP/1.1: and so does the answer to CONNECT', async () => {
    const { port, listener } = await run(answer);
    const raw = new Raw(port);
    raw.write(`CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n${'x'.repeat(3e6)}`);
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 501 /);
    await waitFor(() => listener.connections() === 0);
  });

  test('HTTP/2: too large is 431, far too large a reset', async () => {
    const { port, refused } = await run(answer, { maxHeaderBytes: 2000 });
    const session = h2connect(port);
    expect((await h2get(session, { a: 'x'.repeat(1500) })).status).toBe(200);
    expect((await h2get(session, { a: 'x'.repeat(2000) })).status).toBe(431);
    expect((await h2get(session, { a: 'x'.repeat(4000) })).error).toContain('ENHANCE_YOUR_CALM');
    expect((await h2get(session)).status).toBe(200);
    expect(refused).toEqual(['header_too_large']);
  });

  test('too many is 431, and none is dropped in silence', async () => {
    const { port, refused } = await run(answer, { maxHeaderCount: 20 });
    const some = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, '1']));
    const session = h2connect(port);
    // Node's client adds Host and Connection.
    expect((await h1get(port, { headers: some(18) })).status).toBe(200);
    expect((await h1get(port, { headers: some(19) })).status).toBe(431);
    expect((await h2get(session, some(20))).status).toBe(200);
    expect((await h2get(session, some(21))).status).toBe(431);
    expect((await h2get(session, some(60))).error).toContain('ENHANCE_YOUR_CALM');
    expect(refused).toEqual(['too_many_headers', 'too_many_headers']);
  });
});

describe('authority and target', () => {
  test.each([
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 'bad_authority'],
    ['HTTP/1.1 without Host', 'GET / HTTP/1.1\r\n\r\n', 'bad_authority'],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'bad_authority'],
    ['Host: a b[', 'GET / HTTP/1.1\r\nHost: a b[\r\n\r\n', 'bad_authority'],
    ['Host: %', 'GET / HTTP/1.1\r\nHost: %\r\n\r\n', 'bad_authority'],
    ['a port out of range', 'GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n', 'bad_authority'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: x/y\r\n\r\n', 'bad_authority'],
    ['a target with a broken authority', 'GET //x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n', 'bad_target'],
    ['the same by backslash', 'GET /\\x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n', 'bad_target'],
    ['an absolute target that is no URL', 'GET http://%/ HTTP/1.1\r\nHost: x\r\n\r\n', 'bad_target'],
  ])('HTTP/1.1, %s: 400', async (_name, request, reason) => {
    const { port, refused } = await run(answer);
    const raw = new Raw(port);
    raw.write(request);
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 400 /);
    expect(refused).toEqual([reason]);
    expect(seen).toEqual([]);
    expect((await h1get(port)).status).toBe(200);
  });

  test.each([
    [{ ':authority': 'x:99999' }, 'bad_authority'],
    [{ ':authority': '%' }, 'bad_authority'],
    [{ ':authority': '1.2.3.400' }, 'bad_authority'],
    [{ ':path': '//x:99999/' }, 'bad_target'],
  ])('HTTP/2, %j: 400', async (headers, reason) => {
    const { port, refused } = await run(answer);
    const session = h2connect(port);
    expect((await h2get(session, headers)).status).toBe(400);
    expect(refused).toEqual([reason]);
    expect((await h2get(session)).status).toBe(200);
  });

  test('HTTP/2, what nghttp2 refuses by itself', async () => {
    const { port } = await run(answer);
    const session = h2connect(port);
    expect((await h2get(session, { ':authority': 'a b[' })).error).toContain('PROTOCOL_ERROR');
    expect((await h2get(session)).status).toBe(200);
  });

  test.each([
    'x',
    'x:1',
    'a-b.example.org:65535',
    '127.0.0.1:8080',
    '[::1]',
    '[fe80::1]:80',
    'ex_ample',
    'bücher.example',
  ])('the authority %s is let through', (authority) => expect(isAuthority(authority)).toBe(true));

  test('nothing that is let through makes new URL throw', () => {
    const bits = fc.constantFrom(
      ...[
        'a',
        '1',
        '0',
        '08',
        '256',
        '0x',
        'xn--',
        '.',
        ':',
        '-',
        '_',
        '[',
        ']',
        '::1',
        '%',
        '%41',
        '/',
        '\\',
        '@',
        '?',
        '#',
        '\t',
        ' ',
        'é',
        '99999',
        '65536',
        '\u00ad',
        'localhost',
      ],
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(bits, { maxLength: 6 }).map((some) => some.join('')),
    );
    let let_through = 0;
    fc.assert(
      fc.property(text, text, fc.constantFrom('', '/'), (authority, rest, lead) => {
        const target = lead + rest;
        if (isAuthority(authority) && isTarget(target, authority)) {
          let_through += 1;
          new URL(target, `http://${authority}`);
        }
      }),
      { numRuns: 20_000 },
    );
    expect(let_through).toBeGreaterThan(500);
  });
});

describe('connections and streams', () => {
  test('one connection too many is closed and counted', async () => {
    const { port, refused, listener } = await run(answer, { maxConnections: 2 });
    const first = new Raw(port);
    const second = new Raw(port);
    await waitFor(() => listener.connections() === 2);
    const third = new Raw(port);
    expect(await third.closed).toBe('');
    expect(refused).toEqual(['too_many_connections']);
    first.socket.destroy();
    await waitFor(() => listener.connections() === 1);
    second.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await second.until('200 OK');
    expect((await h1get(port)).status).toBe(200);
  });

  test('the peer is told maxConcurrentStreams', async () => {
    const { port } = await run(answer, { maxConcurrentStreams: 7, maxHeaderBytes: 3000 });
    const session = h2connect(port);
    await h2get(session);
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 7, maxHeaderListSize: 6000 });
  });
});
