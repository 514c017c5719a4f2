import { percentile } from '../arithmetic.ts';
import { grpcBodies } from './bodies.ts';
import { CALLS } from './calls.ts';
import { H2Connection } from './h2-connection.ts';
import type { Load, LoadResult } from './load.ts';

// One connection, as a gRPC channel has, and one call in flight for each caller, until the time is over.
const load = JSON.parse(process.argv[2]!) as Load;
const connection = await H2Connection.open(load.url, CALLS[load.call].path, load.headers);
const body = grpcBodies(load.call, load.numbers);
const taken: number[] = [];
const started = performance.now();
const until = started + load.seconds * 1000;

function caller(): void {
  const sent = performance.now();
  if (sent >= until) return;
  connection.call(body(), () => {
    const now = performance.now();
    if (now <= until) taken.push(now - sent);
    caller();
  });
}

for (let index = 0; index < load.callers; index++) caller();
setTimeout(() => {
  connection.end();
  const result: LoadResult = {
    calls: taken.length,
    perSecond: taken.length / load.seconds,
    p50: taken.length > 0 ? percentile(taken, 0.5) : 0,
    p99: taken.length > 0 ? percentile(taken, 0.99) : 0,
  };
  process.stdout.write(JSON.stringify(result));
}, load.seconds * 1000);
