import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { frame, headersOf, pathOf } from '../support/wire.ts';

// An answer may come before all of the request has arrived. What is still on its way must be thrown away, else the
// connection is dead for the next request.

const LARGE = Buffer.alloc(6 * 1024 * 1024, 0x20);

test.each(['connect-json', 'grpc-web'] as const)(
  'HTTP/1.1, %s: the connection goes on after a body that was too large',
  async (wire) => {
    const { port } = await startApp();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const post = async (body: Uint8Array) => {
      const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
      const headers = { ...headersOf(wire), 'content-length': body.byteLength };
      const options = {
        port,
        host: '127.0.0.1',
        path: pathOf('GetSequence'),
        method: 'POST',
        agent,
        headers,
      };
      const request = http.request(options, resolve).on('error', reject);
      request.end(body);
      const response = await promise;
      return { localPort: request.socket?.localPort, answer: await text(response) };
    };
    const message = Buffer.from(wire === 'connect-json' ? '{"elementType":1}' : [0x10, 1]);
    const framed = (bytes: Buffer) => (wire === 'grpc-web' ? frame(bytes) : bytes);
    const refused = await post(framed(LARGE));
    expect(refused.answer).toMatch(/resource_exhausted|grpc-status: 8/);
    const served = await post(framed(message));
    expect(served.answer).toMatch(/nextSequenceNumber|grpc-status: 0/);
    expect(served.localPort).toBe(refused.localPort);
  },
);

test('HTTP/2: a stream whose body was too large ends, though its client sends on', async () => {
  const { app, url } = await startApp();
  const session = http2.connect(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': pathOf('GetSequence'), ...headersOf('grpc') });
  const trailers = new Promise<Record<string, unknown>>((resolve) => stream.once('trailers', resolve));
  stream.resume();
  stream.end(frame(LARGE));
  expect(await trailers).toMatchObject({ 'grpc-status': '8' });
  await new Promise((resolve) => stream.once('close', resolve));
  const begun = performance.now();
  expect(await app.stop()).toBe(true);
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('HTTP/1.1: a client that goes away, before its turn, from a request that was answered unread harms nothing', async () => {
  const { port, url } = await startApp();
  const requestOf = (verb: string, method: string, body: string) =>
    `${verb} ${pathOf(method)} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`;
  const first = requestOf('POST', 'GetSequence', '{"elementType":1}');
  const second = requestOf('DELETE', 'CreateVersion', JSON.stringify({ comment: 'x'.repeat(400) }));
  for (let i = 0; i < 10; i++) {
    const socket = net.connect(port, '127.0.0.1').resume();
    socket.end(first + second);
    await new Promise((resolve) => socket.once('close', resolve));
    await sleep(5);
  }
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});
