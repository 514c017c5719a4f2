import autocannon from 'autocannon';
import type { LoadOptions, LoadResult } from './load.ts';

// Connect JSON over HTTP/1.1, one request in flight per connection. autocannon makes the body anew for each
// Generate, so that every one has an id of its own.
const options = JSON.parse(process.argv[2]!) as LoadOptions;
const path =
  options.call === 'empty'
    ? '/grpc.health.v1.Health/Check'
    : '/fountain.sequence.v1.SequenceService/Generate';
let id = options.firstId;
const result = await autocannon({
  url: options.url,
  connections: options.callers,
  duration: options.seconds,
  requests: [
    {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      ...(options.call === 'empty'
        ? { body: '{}' }
        : {
            setupRequest: (request: object) => ({
              ...request,
              body: `{"scope":"bench","elementType":"ELEMENT_TYPE_SCRIPT","elementId":"${id++}"}`,
            }),
          }),
    },
  ],
});
const summary: LoadResult = {
  perSecond: result.requests.total / result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  failed: result.non2xx + result.errors + result.timeouts,
};
process.stdout.write(JSON.stringify(summary));
