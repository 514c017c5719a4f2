import http2 from 'node:http2';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Health } from '../../../gen/health/v1/health_pb.js';
import {
  HealthRegistry,
  type HealthRegistryOptions,
  registerHealth,
  ServingStatus,
} from '../../../src/rpc/health/index.ts';
import { GrpcHealthClient } from './grpc-client.ts';
import { type Listening, serve, until } from './serve.ts';

const { SERVING, NOT_SERVING, UNKNOWN } = ServingStatus;
const service = 'fountain.sequence.v1.SequenceService';

const closers: (() => unknown)[] = [];

async function start(
  options: HealthRegistryOptions = { services: [service] },
  protocol: 'h2c' | 'http1' = 'h2c',
) {
  const registry = new HealthRegistry(options);
  const server = await serve(protocol, (router) => registerHealth(router, registry));
  closers.push(() => server.close());
  return { registry, server };
}

function connect(server: Listening): GrpcHealthClient {
  const client = new GrpcHealthClient(server.port);
  closers.push(() => client.close());
  return client;
}

async function startWithClient(options?: HealthRegistryOptions) {
  const { registry, server } = await start(options);
  return { registry, server, client: connect(server) };
}

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('Check and List, over gRPC', () => {
  test('a known service has its status, and an empty name is the whole server', async () => {
    const { registry, client } = await startWithClient();
    expect(await client.check(service)).toEqual({ status: 'NOT_SERVING' });
    registry.set(service, SERVING);
    expect(await client.check(service)).toEqual({ status: 'SERVING' });
    expect(await client.check('')).toEqual({ status: 'NOT_SERVING' });
    registry.setAll(SERVING);
    expect(await client.check()).toEqual({ status: 'SERVING' });
    registry.set(service, UNKNOWN);
    expect(await client.check(service)).toEqual({ status: 'UNKNOWN' });
  });

  test('an unknown service is NOT_FOUND, however long its name', async () => {
    const { registry, client } = await startWithClient();
    for (const name of ['no.such.Service', service.toLowerCase(), '__proto__', 'x'.repeat(1_000_000)]) {
      await expect(client.check(name)).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
    }
    registry.set('no.such.Service', SERVING);
    expect(await client.check('no.such.Service')).toEqual({ status: 'SERVING' });
  });

  test('List has every service, the whole server too, and refuses when they are too many', async () => {
    const { registry, client } = await startWithClient({ services: [service], maxListed: 3 });
    registry.set('other.Service', SERVING);
    expect(await client.list()).toEqual({
      statuses: {
        '': { status: 'NOT_SERVING' },
        [service]: { status: 'NOT_SERVING' },
        'other.Service': { status: 'SERVING' },
      },
    });
    registry.set('one.too.Many', SERVING);
    await expect(client.list()).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
  });
});

describe('Watch, over gRPC', () => {
  test('tells the status at once, then changes only, and only of its service', async () => {
    const { registry, client } = await startWithClient();
    const watch = client.watch(service);
    const whole = client.watch('');
    await until(() => watch.told.length === 1 && whole.told.length === 1, 'the first messages');
    registry.set(service, NOT_SERVING);
    registry.set('other.Service', SERVING);
    registry.set(service, SERVING);
    await until(() => watch.told.length === 2, 'the change');
    registry.set(service, SERVING);
    registry.set(service, UNKNOWN);
    await until(() => watch.told.length === 3, 'the second change');
    expect(watch.told).toEqual(['NOT_SERVING', 'SERVING', 'UNKNOWN']);
    expect(whole.told).toEqual(['NOT_SERVING']);
  });

  test('an unknown service is SERVICE_UNKNOWN, the call stays open, and tells when it becomes known', async () => {
    const { registry, client } = await startWithClient();
    const watch = client.watch('late.Service');
    await until(() => watch.told.length === 1, 'the first message');
    registry.set('late.Service', SERVING);
    await until(() => watch.told.length === 2, 'the change');
    expect(watch.told).toEqual(['SERVICE_UNKNOWN', 'SERVING']);
    expect(registry.openWatches).toBe(1);
  });

  test('a cancelled Watch leaves nothing behind', async () => {
    const { registry, client } = await startWithClient();
    const watches = ['', service, 'no.such.Service'].map((name) => client.watch(name));
    await until(() => watches.every((watch) => watch.told.length === 1), 'the first messages');
    expect(registry.openWatches).toBe(3);
    watches[0]!.cancel();
    watches[2]!.cancel();
    await until(() => registry.openWatches === 1, 'the cancelled two gone');
    registry.setAll(SERVING);
    await until(() => watches[1]!.told.length === 2, 'the third one told');
    expect(watches[0]!.told).toHaveLength(1);
    watches[1]!.cancel();
    await until(() => registry.openWatches === 0, 'all gone');
  });

  test('a Watch whose connection dies leaves nothing behind', async () => {
    const { registry, server, client } = await startWithClient();
    const watches = [1, 2, 3].map(() => client.watch(service));
    await until(() => watches.every((watch) => watch.told.length === 1), 'the first messages');
    server.cutConnections();
    await until(() => registry.openWatches === 0, 'all gone');
    expect((await watches[0]!.ended).code).toBe(grpc.status.UNAVAILABLE);
  });

  test('past the limit a Watch is refused, until another one ends', async () => {
    const { registry, client } = await startWithClient({ services: [service], maxWatches: 2 });
    const first = client.watch(service);
    const second = client.watch(service);
    await until(() => first.told.length === 1 && second.told.length === 1, 'the first messages');
    const refused = client.watch(service);
    expect((await refused.ended).code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    expect(refused.told).toEqual([]);
    expect(registry.openWatches).toBe(2);
    first.cancel();
    await until(() => registry.openWatches === 1, 'the cancelled one gone');
    const next = client.watch(service);
    await until(() => next.told.length === 1, 'a place taken again');
  });

  test('a name too long to be held is refused', async () => {
    const { registry, client } = await startWithClient();
    const longest = client.watch('x'.repeat(1_024));
    await until(() => longest.told.length === 1, 'the longest name watched');
    expect((await client.watch('x'.repeat(1_025)).ended).code).toBe(grpc.status.INVALID_ARGUMENT);
    expect(registry.openWatches).toBe(1);
  });
});

describe('the end', () => {
  test('shutdown tells the Watches NOT_SERVING and ends them, for good', async () => {
    const { registry, client } = await startWithClient();
    registry.setAll(SERVING);
    const watch = client.watch(service);
    const unknown = client.watch('no.such.Service');
    await until(() => watch.told.length === 1 && unknown.told.length === 1, 'the first messages');
    registry.shutdown();
    expect((await watch.ended).code).toBe(grpc.status.OK);
    expect((await unknown.ended).code).toBe(grpc.status.OK);
    expect(watch.told).toEqual(['SERVING', 'NOT_SERVING']);
    expect(unknown.told).toEqual(['SERVICE_UNKNOWN']);
    expect(registry.openWatches).toBe(0);

    registry.set(service, SERVING);
    registry.set('new.Service', SERVING);
    registry.setAll(SERVING);
    expect(await client.check(service)).toEqual({ status: 'NOT_SERVING' });
    expect(await client.check('')).toEqual({ status: 'NOT_SERVING' });
    await expect(client.check('new.Service')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });

    const late = client.watch(service);
    expect((await late.ended).code).toBe(grpc.status.OK);
    expect(late.told).toEqual(['NOT_SERVING']);
    expect(registry.openWatches).toBe(0);
  });

  test('endWatches ends Watches with the reason that it is given, and changes no status', async () => {
    const { registry, client } = await startWithClient();
    registry.setAll(SERVING);
    const watch = client.watch(service);
    await until(() => watch.told.length === 1, 'the first message');
    registry.endWatches(new ConnectError('draining', Code.Unavailable));
    expect(await watch.ended).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'draining' });
    expect(watch.told).toEqual(['SERVING']);
    expect(await client.check(service)).toEqual({ status: 'SERVING' });
    const late = client.watch(service);
    expect((await late.ended).code).toBe(grpc.status.UNAVAILABLE);
    expect(late.told).toEqual(['SERVING']);
  });
});

describe('a slow reader', () => {
  test('gets the newest status, not those that passed in between', async () => {
    const registry = new HealthRegistry({ services: [service] });
    const watch = registry.watch(service, new AbortController().signal);
    expect(await watch.next()).toEqual({ done: false, value: NOT_SERVING });
    for (const status of [SERVING, NOT_SERVING, SERVING, UNKNOWN] as const) registry.set(service, status);
    expect(await watch.next()).toEqual({ done: false, value: UNKNOWN });
    const pending = watch.next();
    registry.set(service, SERVING);
    registry.set(service, UNKNOWN);
    registry.set(service, NOT_SERVING);
    expect(await pending).toEqual({ done: false, value: NOT_SERVING });
    await watch.return();
    expect(registry.openWatches).toBe(0);
  });

  test('whose call is aborted before, between or during a read leaves nothing behind', async () => {
    const registry = new HealthRegistry();
    const canceled = { code: Code.Canceled };
    await expect(registry.watch('', AbortSignal.abort()).next()).rejects.toMatchObject(canceled);
    for (const readsAgain of [false, true]) {
      const controller = new AbortController();
      const watch = registry.watch('', controller.signal);
      await watch.next();
      const pending = readsAgain ? watch.next() : undefined;
      expect(registry.openWatches).toBe(1);
      controller.abort();
      expect(registry.openWatches).toBe(0);
      await expect(pending ?? watch.next()).rejects.toMatchObject(canceled);
    }
  });

  test('over a socket holds up a bounded amount, and nothing when its connection dies', async () => {
    const { registry, server } = await start();
    const session = http2.connect(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 70 } });
    session.on('error', () => {});
    closers.push(() => session.destroy());
    const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    const open = () => {
      const stream = session.request({ ...headers, ':path': '/grpc.health.v1.Health/Watch' });
      stream.on('error', () => {});
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
      return stream;
    };
    const [read] = [open(), open()];
    await until(() => registry.openWatches === 2, 'both Watches open');
    const changes = 20_000;
    for (let n = 0; n < changes; n++) {
      registry.set('', n % 2 === 0 ? SERVING : NOT_SERVING);
      await new Promise(setImmediate);
    }
    registry.set('', UNKNOWN);
    let bytes = 0;
    let tail = '';
    read.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      tail = (tail + chunk.toString('hex')).slice(-10);
    });
    // A status of 0 is not on the wire: the newest message is an empty one.
    await until(() => tail === '0000000000', 'the newest status');
    // What a stream of Node's buffers before it makes its writer wait, and not 7 bytes for each change.
    expect(bytes).toBeLessThan(65_536 + 1_024);

    expect(registry.openWatches).toBe(2);
    // connect-node's own adapter reports a write that the cut ended, to the console and no further.
    const reported = vi.spyOn(console, 'error').mockImplementation(() => {});
    closers.push(() => reported.mockRestore());
    server.cutConnections();
    await until(() => registry.openWatches === 0, 'the stuck Watch gone');
  });
});

describe('Watch, over the Connect protocol', () => {
  let registry: HealthRegistry;
  let server: Listening;
  beforeEach(async () => {
    ({ registry, server } = await start(undefined, 'http1'));
  });

  test('with fetch over HTTP/1.1: a stream of JSON envelopes, cancelled by the client', async () => {
    const json = JSON.stringify({ service });
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), Buffer.from(json)]);
    const controller = new AbortController();
    const answer = await fetch(`http://127.0.0.1:${server.port}/grpc.health.v1.Health/Watch`, {
      method: 'POST',
      headers: { 'content-type': 'application/connect+json', 'connect-protocol-version': '1' },
      body: envelope,
      signal: controller.signal,
    });
    expect(answer.status).toBe(200);
    const reader = answer.body!.getReader();
    const read = async () => JSON.parse(Buffer.from((await reader.read()).value!.subarray(5)).toString());
    expect(await read()).toEqual({ status: 'NOT_SERVING' });
    registry.set(service, SERVING);
    expect(await read()).toEqual({ status: 'SERVING' });
    controller.abort();
    await until(() => registry.openWatches === 0, 'the cancelled one gone');
  });

  test('with the Connect client: changes, a killed connection, and the end', async () => {
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${server.port}`,
      httpVersion: '1.1',
    });
    const client = createClient(Health, transport);
    const cut = client.watch({ service })[Symbol.asyncIterator]();
    expect((await cut.next()).value).toMatchObject({ status: NOT_SERVING });
    server.cutConnections();
    await expect(cut.next()).rejects.toThrow();
    await until(() => registry.openWatches === 0, 'the killed one gone');

    const told: ServingStatus[] = [];
    for await (const { status } of client.watch({ service: 'late.Service' })) {
      told.push(status);
      if (told.length === 1) registry.set('late.Service', SERVING);
      else if (told.length === 2) registry.shutdown();
    }
    expect(told).toEqual([ServingStatus.SERVICE_UNKNOWN, SERVING, NOT_SERVING]);
    expect(await client.check({ service })).toMatchObject({ status: NOT_SERVING });
    await expect(client.check({ service: 'x' })).rejects.toMatchObject({ code: Code.NotFound });
  });
});
