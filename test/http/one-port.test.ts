import { execFile } from 'node:child_process';
import http from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { protocolOf } from '../../src/http/sniff.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/types.ts';
import { cleanUp, h1get, h2connect, h2get, Raw, run, waitFor } from './harness.ts';

const exec = promisify(execFile);

function echo(req: HttpRequest, res: HttpResponse): void {
  let body = '';
  req.on('data', (chunk) => {
    body += chunk;
  });
  req.on('end', () => {
    res.setHeader('content-type', 'text/plain');
    (res as Http2ServerResponse).end(`${req.httpVersion} ${req.method} ${req.url} ${body}`);
  });
}

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

describe('both protocols', () => {
  test('curl, HTTP/1.1 and prior knowledge, on one port', async () => {
    const { port, refused } = await run(echo);
    const url = `http://127.0.0.1:${port}/a`;
    expect((await exec('curl', ['-sS', '-d', 'x', url])).stdout).toBe('1.1 POST /a x');
    expect((await exec('curl', ['-sS', '--http2-prior-knowledge', '-d', 'x', url])).stdout).toBe(
      '2.0 POST /a x',
    );
    // Offers `Upgrade: h2c`, which is ignored.
    expect((await exec('curl', ['-sS', '--http2', url])).stdout).toBe('1.1 GET /a ');
    expect(refused).toEqual([]);
  });

  test('bytes that arrive one by one', async () => {
    const { port } = await run(echo);
    const h1 = new Raw(port);
    await h1.trickle(Buffer.from('POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok'));
    expect(await h1.until('ok')).toContain('1.1 POST /slow ok');

    const h2 = new Raw(port);
    // Preface, empty SETTINGS, then HEADERS: END_STREAM|END_HEADERS, indexed GET http /, literal :authority "x".
    await h2.trickle(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from('000000040000000000', 'hex'),
        Buffer.from('0000060105000000018286840101', 'hex'),
        Buffer.from('78', 'hex'),
      ]),
    );
    expect(await h2.until('2.0 GET /')).toContain('2.0 GET /');
  });

  test('a large body behind the sniffed bytes arrives whole', async () => {
    const { port } = await run((req, res) => {
      let size = 0;
      req.on('data', (chunk) => {
        size += chunk.length;
      });
      req.on('end', () => (res as Http2ServerResponse).end(String(size)));
    });
    const raw = new Raw(port);
    raw.write(
      Buffer.concat([
        Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n'),
        Buffer.alloc(3e6),
      ]),
    );
    expect(await raw.until('3000000')).toContain('200 OK');
    expect(await h2get(h2connect(port), { ':method': 'POST' }, 'y'.repeat(3e6))).toMatchObject({
      body: '3000000',
    });
  });

  test('pipelined requests are answered in order', async () => {
    const { port } = await run((req, res) => {
      const end = () => (res as Http2ServerResponse).end(`<${req.url}>`);
      req.url === '/1' ? setTimeout(end, 20) : end();
    });
    const raw = new Raw(port);
    raw.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n');
    const text = await raw.until('</2>');
    expect(text.match(/<.\d>/g)).toEqual(['</1>', '</2>']);
  });

  test('Expect: 100-continue is met, another one is not', async () => {
    const { port, refused } = await run(echo);
    const raw = new Raw(port);
    raw.write('POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    await raw.until('100 Continue');
    raw.write('ok');
    await raw.until('POST /e ok');
    const other = new Raw(port);
    other.write('POST /e HTTP/1.1\r\nHost: x\r\nExpect: money\r\nContent-Length: 0\r\n\r\n');
    expect(await other.closed).toContain('417');
    expect(refused).toEqual(['unsupported_request']);
  });

  test('an upgrade is ignored, CONNECT is refused', async () => {
    const { port, refused } = await run(echo);
    const upgrade = new Raw(port);
    upgrade.write('GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(await upgrade.until('GET /u')).toContain('200 OK');
    const connect = new Raw(port);
    connect.write('CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\nfoo');
    expect(await connect.closed).toContain('501 Not Implemented');
    expect(refused).toEqual(['unsupported_request']);
    expect(await h2get(h2connect(port), { ':method': 'CONNECT', ':authority': 'x:80' })).toMatchObject({
      status: 501,
    });
    expect(refused).toEqual(['unsupported_request', 'unsupported_request']);
  });
});

describe('what is not a request', () => {
  test('the sniff needs the whole preface', () => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    for (let length = 1; length < preface.length; length++) {
      expect(protocolOf(preface.subarray(0, length))).toBeUndefined();
      const wrong = Buffer.from(preface.subarray(0, length));
      wrong[length - 1]! ^= 1;
      expect(protocolOf(wrong)).toBe('h1');
    }
    expect(protocolOf(preface)).toBe('h2');
    expect(protocolOf(Buffer.concat([preface, preface]))).toBe('h2');
    expect(protocolOf(Buffer.from('POST /'))).toBe('h1');
  });

  test.each([
    ['garbage', Buffer.from('\x00\xff\x80 nonsense\r\n\r\n', 'latin1')],
    ['a TLS hello', Buffer.from('160301020001000001fc0303', 'hex')],
    ['a broken preface', Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')],
    ['two Host headers', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')],
    [
      'a length and chunks',
      Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
    ],
  ])('%s: 400, counted, closed', async (_name, bytes) => {
    const { port, refused } = await run(echo);
    const raw = new Raw(port);
    raw.write(bytes);
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 400 /);
    expect(refused).toEqual(['malformed_request']);
    expect((await h1get(port)).status).toBe(200);
  });

  test('garbage behind the HTTP/2 preface', async () => {
    const { port, refused, listener } = await run(echo);
    const raw = new Raw(port);
    raw.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'garbage'.repeat(20)}`);
    await raw.closed;
    await waitFor(() => listener.connections() === 0);
    expect(refused).toEqual(['malformed_request']);
  });

  test('a peer that only closes, or resets, is no refusal', async () => {
    const { port, refused, listener } = await run(echo);
    new Raw(port).socket.end();
    const partial = new Raw(port);
    partial.write('PRI');
    partial.socket.end();
    const resetting = new Raw(port);
    resetting.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc');
    await waitFor(() => listener.connections() === 1);
    resetting.socket.resetAndDestroy();
    await waitFor(() => listener.connections() === 0);
    expect(refused).toEqual([]);
  });

  test('garbage behind a whole request does not take its answer away', async () => {
    let finish = () => {};
    const { port, refused } = await run((_req, res) => {
      finish = () => (res as Http2ServerResponse).end('committed');
    });
    const raw = new Raw(port);
    raw.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx\x00garbage\r\n\r\n');
    await waitFor(() => refused.length === 1);
    finish();
    const text = await raw.closed;
    expect(text.indexOf('200 OK')).toBe('HTTP/1.1 '.length);
    expect(text).toContain('committed');
    expect(text).toContain('400 Bad Request');
  });
});

describe('faults of the handler', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bug'))],
  ])('%s: 500 in both protocols, reported', async (_name, handler) => {
    const { port, errors } = await run(handler);
    expect(await h1get(port)).toMatchObject({ status: 500, body: 'internal error\n' });
    expect(await h2get(h2connect(port))).toMatchObject({ status: 500, body: 'internal error\n' });
    expect(errors).toEqual([new Error('bug'), new Error('bug')]);
  });

  test('a throw in the middle of an answer truncates it visibly', async () => {
    const { port } = await run((_req, res) => {
      (res as http.ServerResponse).write('half');
      throw new Error('bug');
    });
    await expect(h1get(port).then((answer) => answer.body)).rejects.toThrow();
    expect((await h2get(h2connect(port))).error).toContain('INTERNAL_ERROR');
  });

  test('a write after the end is reported, not uncaught', async () => {
    const { port, errors } = await run((_req, res) => {
      (res as http.ServerResponse).end('x');
      (res as http.ServerResponse).write('y');
    });
    expect((await h1get(port, { agent: new http.Agent() })).status).toBe(200);
    await waitFor(() => errors.length > 0);
  });
});
