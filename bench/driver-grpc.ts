import { type ClientHttp2Session, connect } from 'node:http2';
import type { LoadOptions, LoadResult } from './load.ts';

// gRPC over h2c, on Node's http2 without a gRPC library: grpc-js in the load generator would cost more than
// the service that is measured. One connection, as a gRPC channel has, and one call in flight per caller.
const options = JSON.parse(process.argv[2]!) as LoadOptions;
const path =
  options.call === 'empty'
    ? '/grpc.health.v1.Health/Check'
    : '/fountain.sequence.v1.SequenceService/Generate';
let id = options.firstId;
let failed = 0;
const latencies: number[] = [];

function message(): Buffer {
  if (options.call === 'empty') return Buffer.alloc(5);
  const payload = [0x0a, 5, ...Buffer.from('bench'), 0x10, 1, 0x18];
  for (let rest = id++; ; ) {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    payload.push(rest > 0 ? low + 128 : low);
    if (rest === 0) break;
  }
  return Buffer.from([0, 0, 0, 0, payload.length, ...payload]);
}

function call(session: ClientHttp2Session): Promise<void> {
  const started = performance.now();
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  let status: unknown;
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    latencies.push(performance.now() - started);
    if (status !== '0') failed += 1;
    resolve();
  });
  stream.resume();
  stream.end(message());
  return promise;
}

const session = connect(options.url);
const started = performance.now();
const until = started + options.seconds * 1000;
await Promise.all(
  Array.from({ length: options.callers }, async () => {
    while (performance.now() < until) await call(session);
  }),
);
const seconds = (performance.now() - started) / 1000;
session.close();
latencies.sort((a, b) => a - b);
const summary: LoadResult = {
  perSecond: latencies.length / seconds,
  p50: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
  p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  failed,
};
process.stdout.write(JSON.stringify(summary));
