import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../src/http/types.ts';
import { cleanUp, h2connect, h2get, Raw, run, sleep, waitFor } from './harness.ts';

function answerAtEnd(req: HttpRequest, res: HttpResponse): void {
  req.resume();
  req.on('end', () => {
    res.statusCode = 200;
    res.end();
  });
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

describe('before a request', () => {
  test.each([
    ['no bytes', ''],
    ['half a preface', PREFACE.slice(0, 12)],
    ['the one byte that both share', 'P'],
  ])('%s: closed', async (_name, bytes) => {
    const { port, refused, listener } = await run(answerAtEnd, { firstByteTimeoutMs: 60 });
    const raw = new Raw(port);
    raw.write(bytes);
    expect(await raw.closed).toBe('');
    await waitFor(() => listener.connections() === 0);
    expect(refused).toEqual(['first_byte_timeout']);
  });

  test('a whole preface without SETTINGS: closed', async () => {
    const { port, refused } = await run(answerAtEnd, { headersTimeoutMs: 60 });
    const raw = new Raw(port);
    raw.write(PREFACE);
    await raw.closed;
    expect(refused).toEqual(['header_timeout']);
  });

  test.each([
    ['an incomplete first line', 'GET / HT'],
    ['headers without an end', 'GET / HTTP/1.1\r\nHost: x\r\nA: '],
  ])('%s: 408', async (_name, bytes) => {
    const { port, refused } = await run(answerAtEnd, { headersTimeoutMs: 60 });
    const raw = new Raw(port);
    raw.write(bytes);
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(refused).toEqual(['header_timeout']);
  });

  test('slowloris: a byte now and then does not help', async () => {
    const { port, refused } = await run(answerAtEnd, { headersTimeoutMs: 100 });
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n');
    const dripping = setInterval(() => raw.write('a'), 10);
    expect(await raw.closed).toContain('408');
    clearInterval(dripping);
    expect(refused).toEqual(['header_timeout']);
  });

  test('the second request of a connection has its time too', async () => {
    const { port, refused } = await run(answerAtEnd, { headersTimeoutMs: 60 });
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.until('200 OK');
    await sleep(100);
    raw.write('GET / HTTP/1.1\r\n');
    expect(await raw.closed).toContain('408');
    expect(refused).toEqual(['header_timeout']);
  });
});

describe('bodies that do not arrive', () => {
  test('HTTP/1.1: 408', async () => {
    const { port, refused } = await run(answerAtEnd, { headersTimeoutMs: 50, requestTimeoutMs: 80 });
    const raw = new Raw(port);
    raw.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 408 /);
    expect(refused).toEqual(['request_timeout']);
  });

  test('HTTP/1.1: a whole request before it keeps its answer', async () => {
    let finish = () => {};
    const { port, refused } = await run(
      (req, res) => {
        if (req.url === '/first') {
          finish = () => {
            res.end();
          };
        } else {
          req.resume();
        }
      },
      { headersTimeoutMs: 50, requestTimeoutMs: 80 },
    );
    const raw = new Raw(port);
    raw.write(
      'GET /first HTTP/1.1\r\nHost: x\r\n\r\nPOST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
    );
    await waitFor(() => refused.length === 1);
    finish();
    expect((await raw.closed).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 408']);
  });

  test('HTTP/2: the stream is reset, the others go on', async () => {
    let gone = 0;
    const { port, refused } = await run(
      (req, res) => {
        req.on('close', () => {
          gone += 1;
        });
        answerAtEnd(req, res);
      },
      { headersTimeoutMs: 60, requestTimeoutMs: 60 },
    );
    const session = h2connect(port);
    const slow = session.request({ ':method': 'POST' });
    slow.write('abc');
    const code = await new Promise((resolve) =>
      slow.on('close', () => resolve(slow.rstCode)).on('error', () => {}),
    );
    expect(code).toBe(8);
    expect(refused).toEqual(['request_timeout']);
    expect(gone).toBe(1);
    expect(await h2get(session, { ':method': 'POST' }, 'x')).toMatchObject({ status: 200 });
  });

  test('HTTP/2: not where the body is there and only the answer is slow', async () => {
    const { port, refused } = await run(
      (_req, res) => {
        setTimeout(() => res.end(), 150); // reads nothing
      },
      { headersTimeoutMs: 30, requestTimeoutMs: 30 },
    );
    expect(await h2get(h2connect(port), { ':method': 'POST' }, 'abc')).toMatchObject({ status: 200 });
    expect(refused).toEqual([]);
  });

  test('HTTP/2: not while an answer runs beside the body', async () => {
    const { port, refused } = await run(
      (req, res) => {
        (res as unknown as { stream: ServerHttp2Stream }).stream.respond({ ':status': 200 });
        req.resume();
        req.on('end', () => res.end());
      },
      { headersTimeoutMs: 30, requestTimeoutMs: 30 },
    );
    const stream = h2connect(port).request({ ':method': 'POST' });
    stream.resume();
    await sleep(150);
    expect(stream.closed).toBe(false);
    stream.end('late');
    await new Promise((resolve) => stream.on('close', resolve));
    expect(stream.rstCode).toBe(0);
    expect(refused).toEqual([]);
  });
});

describe('idle', () => {
  test('HTTP/1.1: closed after idleTimeoutMs, and no refusal', async () => {
    const { port, refused } = await run(answerAtEnd, { idleTimeoutMs: 60 });
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await raw.closed).toContain('200 OK');
    expect(refused).toEqual([]);
  });

  test('HTTP/2: GOAWAY and closed, without a stream or after the last', async () => {
    const { port, refused } = await run(answerAtEnd, { idleTimeoutMs: 60 });
    const unused = h2connect(port);
    const used = h2connect(port);
    const goaways: number[] = [];
    used.on('goaway', (code) => goaways.push(code));
    await h2get(used);
    await waitFor(() => unused.destroyed && used.destroyed);
    expect(goaways.length).toBeGreaterThan(0);
    expect(new Set(goaways)).toEqual(new Set([0]));
    expect(refused).toEqual([]);
  });

  test('HTTP/2: a quiet open stream keeps its connection', async () => {
    let end = () => {};
    const { port, listener } = await run(
      (_req, res) => {
        (res as Http2ServerResponse).writeHead(200);
        (res as unknown as { stream: ServerHttp2Stream }).stream.write('first');
        end = () => {
          res.end();
        };
      },
      { idleTimeoutMs: 40, requestTimeoutMs: 40, headersTimeoutMs: 40, firstByteTimeoutMs: 40 },
    );
    const session = h2connect(port);
    const watch = h2get(session);
    await sleep(300);
    expect(listener.connections()).toBe(1);
    end();
    expect(await watch).toMatchObject({ status: 200, body: 'first' });
    await waitFor(() => listener.connections() === 0);
  });

  test('HTTP/1.1: a quiet running answer keeps its connection', async () => {
    const { port } = await run((_req, res) => void setTimeout(() => res.end(), 200), {
      idleTimeoutMs: 30,
      requestTimeoutMs: 30,
      headersTimeoutMs: 30,
    });
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await raw.closed).toContain('200 OK');
  });

  test('a peer that never closes its half does not hold the connection', async () => {
    const { port, listener } = await run(answerAtEnd, { idleTimeoutMs: 40 });
    const raw = new Raw(port, true);
    raw.write(Buffer.concat([Buffer.from(PREFACE), Buffer.from('000000040000000000', 'hex')]));
    await waitFor(() => listener.connections() === 1);
    await waitFor(() => listener.connections() === 0);
  });
});
