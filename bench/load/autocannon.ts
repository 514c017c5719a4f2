import autocannon from 'autocannon';
import { jsonBodies } from './bodies.ts';
import { CALLS } from './calls.ts';
import type { Load } from './load.ts';

// Connect JSON over HTTP/1.1 where wrk is not installed: one request in flight for each connection.
const load = JSON.parse(process.argv[2]!) as Load;
const next = jsonBodies(load.call, load.numbers);
const result = await autocannon({
  url: load.url,
  connections: load.callers,
  duration: load.seconds,
  timeout: 30,
  requests: [
    {
      method: 'POST',
      path: CALLS[load.call].path,
      headers: { 'content-type': 'application/json', ...load.headers },
      setupRequest: (request: object) => ({ ...request, body: next() }),
    },
  ],
});
process.stdout.write(
  JSON.stringify({
    calls: result.requests.total,
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.non2xx + result.errors + result.timeouts,
  }),
);
