import http from 'node:http';
import http2 from 'node:http2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { until } from '../support/until.ts';
import { frame, headersOf, pathOf, type Wire } from '../support/wire.ts';

/** What is counted as refused, by reason, once something is. */
async function refusals(url: string): Promise<Record<string, number>> {
  return await until('a refusal is counted', async () => {
    const samples = [...(await metricsOf(url))].flatMap(([name, value]) => {
      const reason = /^sequence_requests_refused_total\{reason="(.*)"\}$/.exec(name)?.[1];
      return reason === undefined ? [] : [[reason, value] as const];
    });
    return samples.length > 0 && Object.fromEntries(samples);
  });
}

/** Opens a stream and sends the beginning of a message on it. */
async function half(url: string, wire: Wire) {
  const session = http2.connect(url);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  await new Promise((resolve) => session.once('connect', resolve));
  const stream = session.request({ ':method': 'POST', ':path': pathOf('Generate'), ...headersOf(wire) });
  stream.on('error', () => {});
  stream.write(frame(Buffer.alloc(100)).subarray(0, 20));
  await new Promise((resolve) => session.ping(resolve));
  return { session, stream };
}

describe.each(['grpc', 'grpc-web', 'connect-binary'] as const)('%s: in the middle of its message', (wire) => {
  test('a client that resets its stream has cancelled', async () => {
    const { url } = await startApp();
    const { stream } = await half(url, wire);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    expect(await refusals(url)).toEqual({ CANCELLED: 1 });
  });

  test('a client that goes away has cancelled', async () => {
    const { url } = await startApp();
    const { session } = await half(url, wire);
    session.destroy();
    expect(await refusals(url)).toEqual({ CANCELLED: 1 });
  });

  test('a client that ends its message too early has sent a bad one', async () => {
    const { url } = await startApp();
    const { stream } = await half(url, wire);
    stream.resume();
    stream.end();
    expect(await refusals(url)).toEqual({ INVALID_ARGUMENT: 1 });
  });
});

test('HTTP/1.1: a client that goes away in the middle of its message has cancelled', async () => {
  const { url } = await startApp();
  const headers = { ...headersOf('grpc-web'), 'content-length': 105 };
  const request = http.request(url + pathOf('Generate'), { method: 'POST', headers, agent: false });
  request.on('error', () => {});
  request.write(frame(Buffer.alloc(100)).subarray(0, 20));
  request.on('socket', (socket) => socket.on('connect', () => setTimeout(() => request.destroy(), 50)));
  expect(await refusals(url)).toEqual({ CANCELLED: 1 });
});
