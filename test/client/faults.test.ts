import { setTimeout as sleep } from 'node:timers/promises';
import { Code, type ConnectError } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { beforeEach, describe, expect, test } from 'vitest';
import { createSequenceClientOver, type SequenceClient } from '../../client/src/core.ts';
import {
  createSequenceClient,
  ElementType,
  fieldViolationsOf,
  mayHaveBeenApplied,
  metadataOf,
  reasonOf,
} from '../../client/src/index.ts';
import { startApp } from '../support/app.ts';
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const SCRIPT = { scope: 'faults', elementType: ElementType.SCRIPT } as const;
const retry = { initialBackoffMs: 20, maxBackoffMs: 100 };

const CLIENTS = {
  connect: (url) => createSequenceClient({ url, retry }),
  grpc: (url) => createSequenceClient({ url, retry, protocol: 'grpc' }),
  'grpc-web': (url) => createSequenceClient({ url, retry, protocol: 'grpc-web' }),
  fetch: (baseUrl) => createSequenceClientOver(createConnectTransport({ baseUrl }), { retry }),
} as const satisfies Record<string, (url: string) => SequenceClient>;

const rejection = async (call: Promise<unknown>): Promise<ConnectError> =>
  await call.then(
    () => expect.unreachable('the call succeeded'),
    (error) => error as ConnectError,
  );

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy((await startApp()).port);
});

describe.each(Object.entries(CLIENTS))('%s, with the real service behind a faulty network', (name, make) => {
  test.each<Fault>(['reset', 'lose-answer', 'end-before-answer'])('%s: a read is repeated', async (fault) => {
    proxy.plan(fault, fault);
    const { size } = await make(proxy.url).getSequence(SCRIPT);
    expect(size).toBe(0);
    expect(proxy.connections).toBe(3);
  });

  test.each<Fault>(['reset', 'lose-answer', 'end-before-answer'])(
    '%s: a write is applied once',
    async (fault) => {
      const client = make(proxy.url);
      proxy.plan(fault, fault);
      const made = await client.generate({ ...SCRIPT, elementId: 7n, comment: 'once' });
      expect([made.sequenceNumber, made.revision]).toEqual([1, 1n]);
      expect(proxy.connections).toBe(3);
      expect((await client.getSequence(SCRIPT)).revision).toBe(1n);
    },
  );

  test('connection refused, until the service is there', async () => {
    const client = make(proxy.url);
    await proxy.refuse();
    const call = client.generate({ ...SCRIPT, elementId: 7n });
    await sleep(10);
    await proxy.accept();
    expect((await call).revision).toBe(1n);
  });

  test('a connection that was lost while nothing ran is made anew', async () => {
    const client = make(proxy.url);
    await client.getSequence(SCRIPT);
    await proxy.refuse();
    await proxy.accept();
    expect((await client.generate({ ...SCRIPT, elementId: 7n })).revision).toBe(1n);
  });

  test('a service that stays away is UNAVAILABLE after the last attempt', async () => {
    await proxy.refuse();
    const error = await rejection(make(proxy.url).getSequence(SCRIPT));
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBeUndefined();
  });

  test('the deadline holds where nothing answers', async () => {
    proxy.plan('hang', 'hang');
    const before = performance.now();
    const error = await rejection(make(proxy.url).generate({ ...SCRIPT, elementId: 7n }, { timeoutMs: 150 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(mayHaveBeenApplied(error)).toBe(true);
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(proxy.connections).toBe(1);
  });

  test('an abort ends the call', async () => {
    proxy.plan('hang');
    const stop = new AbortController();
    const call = rejection(make(proxy.url).getSequence(SCRIPT, { signal: stop.signal }));
    await sleep(50);
    stop.abort();
    expect((await call).code).toBe(Code.Canceled);
    expect(proxy.connections).toBe(1);
  });

  test('what the service answers is final, and can be read', async () => {
    const client = make(proxy.url);
    const invalid = await rejection(client.generate({ ...SCRIPT, elementId: 0n }));
    expect([invalid.code, reasonOf(invalid)]).toEqual([Code.InvalidArgument, 'INVALID_FIELD']);
    expect(fieldViolationsOf(invalid)).toEqual([
      { field: 'element_id', description: 'must be from 1 to 9007199254740991' },
    ]);
    await client.generate({ ...SCRIPT, elementId: 7n });
    const exists = await rejection(client.generate({ ...SCRIPT, elementId: 7n }));
    expect([exists.code, reasonOf(exists)]).toEqual([Code.AlreadyExists, 'ELEMENT_EXISTS']);
    expect(metadataOf(exists)).toMatchObject({ element_ids: '7', sequence_numbers: '1' });
    expect(mayHaveBeenApplied(exists)).toBe(false);
  });

  test.skipIf(name === 'grpc')('503 from a proxy that speaks HTTP/1.1 is repeated', async () => {
    proxy.plan('503', '503');
    expect((await make(proxy.url).generate({ ...SCRIPT, elementId: 7n })).revision).toBe(1n);
    expect(proxy.connections).toBe(3);
  });
});
