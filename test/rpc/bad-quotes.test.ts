import { expect, test } from 'vitest';
import { metricsOf } from '../support/metrics-page.ts';
import { sharedApp } from '../support/shared-app.ts';
import { exchange, frame, pathOf } from '../support/wire.ts';

// connect-es quotes what it cannot decode in its error. A quote with half a surrogate pair (V8 cuts after 10 UTF-16
// units; a key may have one) cannot be percent-encoded for grpc-message; the caller is owed an answer all the same.

const app = sharedApp();
const path = pathOf('Remove');

test.each([
  ['a quote that is cut within a pair', `\u0001${'\u{10000}'.repeat(20)}`],
  ['a key with half a pair', '{"\\ud800":1}'],
])('%s', async (_, json) => {
  const body = Buffer.from(json);
  for (const [wire, type] of [
    ['grpc', 'application/grpc+json'],
    ['grpc-web', 'application/grpc-web+json'],
    ['connect-json', 'application/json'],
  ] as const) {
    const reply = await exchange(app().url, wire, 'Remove', {
      path,
      headers: { 'content-type': type, 'x-request-id': 'mine' },
      body: wire === 'connect-json' ? body : frame(body),
    });
    expect(reply, wire).toMatchObject({ code: 'INVALID_ARGUMENT', headers: { 'x-request-id': 'mine' } });
    expect(reply.message, wire).toContain('decode');
    expect(reply.headers['content-type'], wire).toBe(type);
  }
});

test('they are counted', async () => {
  const metrics = await metricsOf(app().url);
  expect(metrics.get('sequence_requests_refused_total{reason="INVALID_ARGUMENT"}')).toBe(6);
});
