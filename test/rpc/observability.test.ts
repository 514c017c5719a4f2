import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { type RunningApp, startApp } from '../support/app.ts';
import { capturedLog } from '../support/log-lines.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { call, callBytes, exchange, headersOf, pathOf, WIRES, type Wire } from '../support/wire.ts';

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const PROTOCOL_LABELS: Readonly<Record<Wire, string>> = {
  'connect-json': 'connect',
  'connect-binary': 'connect',
  grpc: 'grpc',
  'grpc-web': 'grpc-web',
};

describe.each(WIRES)('%s: x-request-id', (wire) => {
  const asking = async (message: JsonObject, headers = {}) =>
    (await call((await startApp()).url, wire, 'GetElement', message, headers)).headers['x-request-id'];

  test('is echoed, or new, for a success and for an error', async () => {
    const { url } = await startApp();
    for (const message of [AT, { ...AT, scope: '?' }]) {
      const echoed = await call(url, wire, 'GetSequence', message, { 'x-request-id': 'my-id:1/2' });
      expect(echoed.headers['x-request-id']).toBe('my-id:1/2');
      const ids = await Promise.all([1, 2].map(() => call(url, wire, 'GetSequence', message)));
      for (const { headers } of ids) expect(headers['x-request-id']).toMatch(UUID);
      expect(ids[0]!.headers['x-request-id']).not.toBe(ids[1]!.headers['x-request-id']);
    }
  });

  test('is new where it could forge a line or fill the log', async () => {
    for (const id of ['two words', 'x'.repeat(129), ''])
      expect(await asking({ ...AT, elementId: '1' }, { 'x-request-id': id })).toMatch(UUID);
  });

  test('is there where the message cannot be decoded', async () => {
    const { url } = await startApp();
    const reply = await callBytes(url, wire, 'Generate', Buffer.alloc(9, 0xff), { 'x-request-id': 'mine' });
    expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT', headers: { 'x-request-id': 'mine' } });
  });
});

/** One call of each outcome, in each protocol; 6 for a wire, 4 of them seen by a handler's interceptors. */
async function traffic({ url }: RunningApp): Promise<void> {
  for (const wire of WIRES) {
    const scoped = { ...AT, scope: wire };
    const element = { ...scoped, elementId: '7' };
    await call(url, wire, 'Generate', {
      ...element,
      comment: 'the-comment',
      content: { key: 'the-content' },
    });
    await call(url, wire, 'GetElement', element);
    await call(url, wire, 'GetElement', { ...element, elementId: '8' });
    await call(url, wire, 'CreateVersion', {
      ...element,
      comment: 'the-comment\0',
      requestId: 'the-request',
    });
    await callBytes(url, wire, 'Generate', Buffer.from('\xff the-bytes', 'latin1'));
    await exchange(url, wire, 'Sing', {
      path: pathOf('Sing'),
      headers: headersOf(wire),
      body: Buffer.alloc(0),
    });
  }
}

describe('metrics', () => {
  test('the duration by method, code and protocol; in flight back to 0; what was refused', async () => {
    const app = await startApp();
    await traffic(app);
    const metrics = await metricsOf(app.url);
    const count = (method: string, code: string, protocol: string) =>
      metrics.get(
        `sequence_rpc_duration_seconds_count{method="fountain.sequence.v1.SequenceService/${method}",code="${code}",protocol="${protocol}"}`,
      );
    for (const protocol of ['connect', 'grpc', 'grpc-web']) {
      const times = protocol === 'connect' ? 2 : 1;
      expect(count('Generate', 'OK', protocol)).toBe(times);
      expect(count('GetElement', 'OK', protocol)).toBe(times);
      expect(count('GetElement', 'NOT_FOUND', protocol)).toBe(times);
      expect(count('CreateVersion', 'INVALID_ARGUMENT', protocol)).toBe(times);
    }
    const series = [...metrics.keys()].filter((key) => key.startsWith('sequence_rpc_duration_seconds_count'));
    expect(series).toHaveLength(12);
    expect(metrics.get('sequence_rpc_in_flight')).toBe(0);
    expect(metrics.get('sequence_requests_refused_total{reason="INVALID_ARGUMENT"}')).toBe(4);
    expect(metrics.get('sequence_requests_refused_total{reason="http_404"}')).toBe(4);
    expect(metrics.get('sequence_writer_batch_size_count')).toBe(4);
    expect(metrics.get('sequence_writer_wait_seconds_count')).toBe(4);
    expect(metrics.get('sequence_writer_transaction_seconds_count{outcome="committed"}')).toBe(4);
    expect(metrics.get('sequence_writer_queue_entries')).toBe(0);
    expect(metrics.get('sequence_writer_queue_bytes')).toBe(0);
    expect(metrics.get('sequence_process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  test('every name begins with sequence_', async () => {
    const { url } = await startApp();
    for (const key of (await metricsOf(url)).keys()) expect(key).toMatch(/^sequence_/);
  });
});

describe('the log', () => {
  test('has one line a request, with its outcome, and nothing of what was sent', async () => {
    const { log, lines } = capturedLog();
    const app = await startApp({}, { log });
    const before = lines.length;
    await traffic(app);
    const requests = lines.slice(before);
    expect(requests).toHaveLength(6 * WIRES.length);
    WIRES.forEach((wire, i) => {
      const protocol = PROTOCOL_LABELS[wire];
      expect(requests.slice(6 * i, 6 * i + 4)).toMatchObject(
        [
          ['Generate', 'OK'],
          ['GetElement', 'OK'],
          ['GetElement', 'NOT_FOUND'],
          ['CreateVersion', 'INVALID_ARGUMENT'],
        ].map(([method, code]) => ({
          level: 'info',
          msg: 'rpc',
          method: `fountain.sequence.v1.SequenceService/${method}`,
          code,
          protocol,
          seconds: expect.any(Number),
          correlation_id: expect.stringMatching(UUID),
        })),
      );
      expect(requests.slice(6 * i + 4, 6 * i + 6)).toMatchObject([
        {
          msg: 'rpc refused',
          path: pathOf('Generate'),
          reason: 'INVALID_ARGUMENT',
          correlation_id: expect.stringMatching(UUID),
        },
        { msg: 'rpc refused', path: pathOf('Sing'), reason: 'http_404' },
      ]);
    });
    expect(JSON.stringify(requests)).not.toMatch(/the-(comment|content|bytes|request)/);
  });

  test.each(['connect-json', 'grpc-web'] as const)(
    'calls one that went away in the middle of its request cancelled, not faulty: %s',
    async (wire) => {
      const { log, lines } = capturedLog();
      const { url } = await startApp({}, { log });
      await leave(url, wire);
      await expect.poll(() => lines.at(-1)).toMatchObject({ msg: 'rpc refused', reason: 'CANCELLED' });
      const metrics = await metricsOf(url);
      expect(metrics.get('sequence_requests_refused_total{reason="CANCELLED"}')).toBe(1);
      expect(metrics.get('sequence_requests_refused_total{reason="INVALID_ARGUMENT"}')).toBeUndefined();
    },
  );

  test('has the id that the caller chose', async () => {
    const { log, lines } = capturedLog();
    const { url } = await startApp({}, { log });
    await call(url, 'grpc', 'GetSequence', AT, { 'x-request-id': 'mine' });
    expect(lines.at(-1)).toMatchObject({ msg: 'rpc', correlation_id: 'mine' });
  });
});

/** Sends the head and a part of the body of a request over HTTP/1.1, and goes. */
async function leave(url: string, wire: Wire): Promise<void> {
  const path = pathOf('Generate');
  const half = Buffer.from('{"a');
  const headers = { ...headersOf(wire), 'content-length': 100 };
  const request = http.request(`${url}${path}`, { method: 'POST', headers }).on('error', () => {});
  request.write(half);
  await sleep(50);
  request.destroy();
}
