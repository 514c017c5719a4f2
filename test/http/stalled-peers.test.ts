import http from 'node:http';
import http2 from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../src/http/types.ts';
import { END_HEADERS, END_STREAM, FRAME, frame, framesIn, GREETING, post } from '../support/h2-frames.ts';
import { cleanUp, h1get, h2connect, h2get, Raw, run, sleep, waitFor } from './harness.ts';

/** More than the buffers of a connection hold, and less than an HTTP/2 session may. */
const LARGE = Buffer.alloc(24 * 1024 * 1024, 'x');

function answerAtEnd(req: HttpRequest, res: HttpResponse): void {
  req.resume();
  req.on('end', () => void res.end());
}

function answerAtOnce(req: HttpRequest, res: HttpResponse): void {
  res.end('early');
  req.resume();
}

function answerMuch(_req: HttpRequest, res: HttpResponse): void {
  (res as http.ServerResponse).end(LARGE);
}

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

describe('a stop does not wait for', () => {
  test('an HTTP/2 peer that is gone in the middle of a body', async () => {
    const { listener, port } = await run(answerAtEnd);
    const session = h2connect(port);
    await new Promise((resolve) => session.once('connect', resolve));
    session
      .request({ ':method': 'POST' })
      .on('error', () => {})
      .write('abc');
    await new Promise((resolve) => session.ping(resolve));
    session.destroy();
    await waitFor(() => listener.connections() === 0);
    await listener.stop();
  });

  test('the rest of an HTTP/1.1 body whose answer is out', async () => {
    const { listener, port } = await run(answerAtOnce);
    const raw = new Raw(port);
    raw.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc');
    await raw.until('early');
    raw.write('def');
    await sleep(20);
    await listener.stop();
    expect(await raw.closed).toMatch(/early$/);
  });

  test('and yet the next request of such a connection is answered', async () => {
    const { listener, port } = await run(answerAtOnce);
    const raw = new Raw(port);
    raw.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc');
    await raw.until('early');
    raw.write('defGET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor(() => raw.received.match(/early/g)?.length === 2);
    await listener.stop();
  });
});

test('an HTTP/2 peer that has closed its half gets the answers to what was whole', async () => {
  const { port, listener } = await run((req, res) => {
    req.resume();
    req.on('end', () => setTimeout(() => res.end('late'), 50));
  });
  const raw = new Raw(port, true);
  raw.write(
    Buffer.concat([
      GREETING,
      frame(FRAME.HEADERS, END_HEADERS, 1, post('/')),
      frame(FRAME.DATA, END_STREAM, 1, Buffer.from('all of it')),
      frame(FRAME.HEADERS, END_HEADERS, 3, post('/')),
      frame(FRAME.DATA, 0, 3, Buffer.from('some of it')),
    ]),
  );
  await sleep(20);
  raw.socket.end();
  await waitFor(() => listener.connections() === 0);
  const frames = framesIn(Buffer.from(await raw.closed, 'latin1'));
  expect(frames.find(({ type, stream }) => type === FRAME.DATA && stream === 1)?.payload.toString()).toBe(
    'late',
  );
  expect(frames.filter(({ type }) => type === FRAME.RST_STREAM).map(({ stream }) => stream)).toEqual([3]);
});

describe('an answer that its peer does not take', () => {
  test('HTTP/1.1: the connection is closed', async () => {
    const { port, refused, listener } = await run(answerMuch, { answerTimeoutMs: 100 });
    const raw = new Raw(port);
    raw.socket.pause();
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor(() => refused.length === 1 && listener.connections() === 0);
    expect(refused).toEqual(['answer_timeout']);
    expect((await h1get(port, { method: 'HEAD' })).status).toBe(200);
  });

  test('HTTP/2: the stream is reset, the others go on', async () => {
    const { port, refused } = await run(
      (req, res) => (req.url === '/much' ? answerMuch(req, res) : void res.end('little')),
      { answerTimeoutMs: 100 },
    );
    const session = h2connect(port);
    const stream = session.request({ ':path': '/much' });
    stream.on('error', () => {});
    await new Promise((resolve) => stream.on('close', resolve));
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
    expect(refused).toEqual(['answer_timeout']);
    expect(await h2get(session)).toMatchObject({ status: 200, body: 'little' });
  });

  test('but one that it takes slowly, in time, it gets whole', async () => {
    const { port, refused } = await run(answerMuch, { answerTimeoutMs: 3_000 });
    const got = await new Promise<number>((resolve, reject) => {
      http
        .get({ port, host: '127.0.0.1', agent: false }, async (response) => {
          let bytes = 0;
          for await (const chunk of response) {
            bytes += (chunk as Buffer).length;
            if (bytes % 64 === 0) await sleep(1);
          }
          resolve(bytes);
        })
        .on('error', reject);
    });
    expect(got).toBe(LARGE.length);
    expect(refused).toEqual([]);
  });
});

test('a peer that asks to go on and resets the stream in one breath leaves the service as it was', async () => {
  const seen: (string | undefined)[] = [];
  const { listener, port } = await run((req, res) => {
    seen.push(req.url);
    answerAtEnd(req, res);
  });
  const raw = new Raw(port);
  const expecting = post('/expecting', [['expect', '100-continue']]);
  raw.write(
    Buffer.concat([
      GREETING,
      frame(FRAME.HEADERS, END_HEADERS, 1, expecting),
      frame(FRAME.RST_STREAM, 0, 1, Buffer.of(0, 0, 0, 8)),
      frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 3, post('/after')),
    ]),
  );
  await waitFor(() => seen.includes('/after'));
  raw.socket.destroy();
  await listener.stop();
});
