import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, onTestFinished, test } from 'vitest';
import { createSequenceClient, ElementType, mayHaveBeenApplied } from '../../client/src/index.ts';

const SCRIPT = { scope: 'cut-off', elementType: ElementType.SCRIPT } as const;

/** What a proxy passed on, and ended in order, of an answer that broke off behind it. */
const PARTS = {
  'no byte': Buffer.alloc(0),
  'half of the message': Buffer.from([0, 0, 0, 0, 9, 8]),
  'all but the status': Buffer.from([0, 0, 0, 0, 0]),
};
type Answer = (response: http.ServerResponse) => void;
const SERVERS = {
  grpc: (answer: Answer) =>
    http2.createServer((_, response) => answer(response as unknown as http.ServerResponse)),
  'grpc-web': (answer: Answer) => http.createServer((_, response) => answer(response)),
} as const;

const cases = (['grpc', 'grpc-web'] as const).flatMap((protocol) =>
  Object.entries(PARTS).map(([name, part]) => [protocol, name, part] as const),
);

test.each(cases)('%s: an answer of which %s came is a lost connection', async (protocol, _name, part) => {
  let requests = 0;
  const server = SERVERS[protocol]((response) => {
    requests += 1;
    response.writeHead(200, { 'content-type': `application/${protocol}+proto` });
    response.end(part);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createSequenceClient({
    url,
    protocol,
    retry: { maxAttempts: 3, initialBackoffMs: 1, maxBackoffMs: 2 },
  });

  const error = await client.generate({ ...SCRIPT, elementId: 7n }).catch(ConnectError.from);
  expect(error).toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/^connection lost/),
  });
  expect(mayHaveBeenApplied(error)).toBe(true);
  expect(requests).toBe(3);
});
