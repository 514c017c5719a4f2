import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, onTestFinished, test } from 'vitest';
import { grpcBodies } from '../../bench/load/bodies.ts';
import { BATCH, CALLS, type CallName } from '../../bench/load/calls.ts';
import { H2Connection } from '../../bench/load/h2-connection.ts';
import { ElementType, SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { startApp } from '../support/app.ts';

const numbers = { scope: 'bench', sequences: 1, firstId: 1, elements: 1 };

/** Makes so many calls, each with a body of its own, some of them at the same time. */
async function callAll(url: string, name: CallName, calls: number, callers: number): Promise<void> {
  const connection = await H2Connection.open(url, CALLS[name].path, { 'x-long': 'x'.repeat(500) });
  onTestFinished(() => connection.end());
  const body = grpcBodies(name, numbers);
  let left = calls;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        connection.call(body(), resolve);
        await promise;
      }
    }),
  );
}

function sizeOf(url: string) {
  const client = createClient(SequenceService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
  return client.getSequence({ scope: 'bench', elementType: ElementType.SCRIPT });
}

test('every call that the generator counts has been made', async () => {
  const { url } = await startApp();
  await callAll(url, 'generate', 300, 16);
  expect(await sizeOf(url)).toMatchObject({ size: 300, revision: 300n });
});

test('calls that exceed what the service lets in at a time wait for it', async () => {
  const { url } = await startApp();
  // 200 at a time are more than the 64 KiB that a connection may send at first.
  expect(grpcBodies('batchGenerate', numbers)().length * 200).toBeGreaterThan(2 ** 16);
  await callAll(url, 'batchGenerate', 200, 200);
  expect(await sizeOf(url)).toMatchObject({ size: 200 * BATCH });
});
