import { createServer } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { create } from '@bufbuild/protobuf';
import {
  createConnectRouter,
  createContextKey,
  createContextValues,
  type Interceptor,
} from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Health, HealthCheckResponseSchema } from '../../../gen/health/v1/health_pb.js';
import { LaneHeaders } from '../../../src/rpc/lane/headers.ts';
import { createLane, recordMethods } from '../../../src/rpc/lane/index.ts';
import { startApp } from '../../support/app.ts';
import { metricsOf } from '../../support/metrics-page.ts';
import { call, callBytes, exchange, frame, headersOf, pathOf } from '../../support/wire.ts';

const AT = { elementType: 1 };

describe('what it takes', () => {
  const taken = async (url: string) => (await metricsOf(url)).get('sequence_rpc_lane_total');

  test.each([
    ['connect-json', {}, 1],
    ['connect-binary', {}, 1],
    ['grpc', {}, 1],
    ['grpc-web', {}, 0],
    ['connect-json', { 'content-type': 'application/json; charset=utf-8' }, 1],
    ['connect-json', { 'content-type': 'Application/JSON' }, 0],
    ['connect-json', { 'content-encoding': 'identity', 'accept-encoding': 'gzip' }, 1],
    ['grpc', { 'content-type': 'application/grpc+proto', 'grpc-timeout': '10S' }, 1],
    ['connect-json', { 'connect-timeout-ms': '9999999999' }, 1],
  ] as const)('%s with %j: %i', async (wire, headers, times) => {
    const { url } = await startApp({ LANE: 'on' });
    expect((await call(url, wire, 'GetSequence', AT, headers)).code).toBe('OK');
    expect(await taken(url)).toBe(times);
  });

  test('no message that cannot be decoded, and no path with a query', async () => {
    const { url } = await startApp({ LANE: 'on' });
    await callBytes(url, 'connect-json', 'GetSequence', Buffer.from('{'));
    await callBytes(url, 'grpc', 'GetSequence', Buffer.from([0xff]));
    const query = {
      path: `${pathOf('GetSequence')}?a`,
      headers: headersOf('connect-json'),
      body: Buffer.from('{"elementType":1}'),
    };
    expect((await exchange(url, 'connect-json', 'GetSequence', query)).code).toBe('OK');
    expect(await taken(url)).toBe(0);
  });

  test('nothing with LANE=off', async () => {
    const { url } = await startApp({ LANE: 'off' });
    await call(url, 'grpc', 'GetSequence', AT);
    expect(await taken(url)).toBe(0);
  });

  test('a message in parts, of gRPC its head too', async () => {
    const { port, url } = await startApp({ LANE: 'on' });
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.setNoDelay();
    const body = '{"elementType":1}';
    socket.write(
      `POST ${pathOf('GetSequence')} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    for (const byte of body) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      socket.write(byte);
    }
    expect(await text(socket)).toContain('{"nextSequenceNumber":1}');
    expect(await taken(url)).toBe(1);
    expect(frame(Buffer.alloc(0))).toHaveLength(5);
  });
});

describe('what interceptors see', () => {
  const KEY = createContextKey('none');

  async function serve(interceptors: Interceptor[]) {
    const { router, methods } = recordMethods(createConnectRouter({ interceptors }));
    router.service(Health, {
      check(request, context) {
        context.responseHeader.set('x-seen', `${request.service} ${context.values.get(KEY)}`);
        context.responseTrailer.append('x-last', 'a');
        context.responseTrailer.append('x-last', 'b');
        return create(HealthCheckResponseSchema, { status: context.signal.aborted ? 2 : 1 });
      },
    });
    const stock = connectNodeAdapter({ interceptors, routes: () => {} });
    const lane = createLane({
      methods,
      interceptors,
      acceptCompression: [],
      readMaxBytes: 1024,
      defaultTimeoutMs: 1_000,
      contextValues: ({ socket }) => createContextValues().set(KEY, socket.destroyed ? 'gone' : 'here'),
      fallback: { http1: (request, response) => stock(request, response), http2: () => {} },
      onGone: () => {},
      onError: (error) => {
        throw error;
      },
    });
    const server = createServer((request, response) => {
      if (!lane.takeHttp1(request, response)) response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    return await fetch(`http://127.0.0.1:${port}/grpc.health.v1.Health/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-a': '1' },
      body: '{"service":"s"}',
    });
  }

  test('the outermost runs first; a copied request keeps its signal, url and headers; an answer may be replaced', async () => {
    const order: string[] = [];
    const named =
      (name: string): Interceptor =>
      (next) =>
      async (request) => {
        order.push(
          `${name} ${new URL(request.url).pathname} ${request.header.get('X-A')} ${request.signal.aborted}`,
        );
        const response = await next({ ...request } as typeof request);
        return {
          ...response,
          header: new Headers([...response.header, [`x-${name}`, 'yes']]),
        } as typeof response;
      };
    const response = await serve([named('outer'), named('inner')]);
    expect(order).toEqual([
      'outer /grpc.health.v1.Health/Check 1 false',
      'inner /grpc.health.v1.Health/Check 1 false',
    ]);
    expect(await response.json()).toEqual({ status: 'SERVING' });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-seen': 's here',
      'x-outer': 'yes',
      'x-inner': 'yes',
      'trailer-x-last': 'a, b',
      'content-type': 'application/json',
    });
  });

  test('the signal is aborted once the call is over', async () => {
    let signal: AbortSignal | undefined;
    const keep: Interceptor = (next) => async (request) => {
      signal = request.signal;
      return await next(request);
    };
    expect((await serve([keep])).status).toBe(200);
    expect(signal?.aborted).toBe(true);
  });
});

test('a field whose last value is empty is read as the standard Headers read it', () => {
  // So Node joins `x: a` and `x:`, and so a client may send it.
  for (const value of ['a, ', ', a', ' ', '', '\t a \t', 'a\u00a0']) {
    const headers = new LaneHeaders(Object.assign(Object.create(null), { x: value }), true);
    expect(headers.get('x')).toBe(new Headers({ x: value }).get('x'));
  }
});

test('LaneHeaders are the standard ones, whatever is asked of them', () => {
  const record = Object.assign(Object.create(null), {
    ':path': '/',
    a: '1',
    b: ['2', '3'],
    'set-cookie': ['x', 'y'],
  });
  const headers = new LaneHeaders(record, true);
  expect([headers.get('A'), headers.get('b'), headers.get('c'), headers.has('a')]).toEqual([
    '1',
    '2, 3',
    null,
    true,
  ]);
  expect(headers.get('constructor')).toBeNull();
  expect([...headers]).toEqual([
    ['a', '1'],
    ['b', '2, 3'],
    ['set-cookie', 'x'],
    ['set-cookie', 'y'],
  ]);
  headers.set('A', '4');
  headers.append('c', ' 5 ');
  headers.delete('b');
  expect(record).toMatchObject({ a: '1', b: ['2', '3'] });
  expect(headers.toRecord()).toEqual({ a: '4', c: '5', 'set-cookie': ['x', 'y'] });
  expect(() => headers.set('a b', 'x')).toThrow(TypeError);
  expect(() => new LaneHeaders(Object.create(null), false).set('a', 'b\r\nc')).toThrow(TypeError);
});
