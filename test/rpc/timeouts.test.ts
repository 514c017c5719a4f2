import { describe, expect, test } from 'vitest';
import { setTimeoutHeader } from '../../src/rpc/timeouts.ts';
import { startApp } from '../support/app.ts';
import { call, callBytes, encode, WIRES } from '../support/wire.ts';

const DEFAULT_MS = 30_000;
const TYPES = {
  grpc: 'application/grpc+proto',
  'grpc-web': 'application/grpc-web',
  connect: 'application/json',
};

function applied(headers: Record<string, string>, defaultMs: number | undefined = DEFAULT_MS) {
  const header = new Headers(headers);
  setTimeoutHeader(header, defaultMs);
  const { 'content-type': _, ...rest } = Object.fromEntries(header);
  return rest;
}

describe('a call without a deadline gets the default one', () => {
  test.each([
    [TYPES.grpc, { 'grpc-timeout': '30000m' }],
    [TYPES['grpc-web'], { 'grpc-timeout': '30000m' }],
    ['Application/GRPC', { 'grpc-timeout': '30000m' }],
    [TYPES.connect, { 'connect-timeout-ms': '30000' }],
    ['application/proto', { 'connect-timeout-ms': '30000' }],
  ])('%s', (type, expected) => {
    expect(applied({ 'content-type': type })).toEqual(expected);
  });

  test('a GET, which has no content type', () => {
    expect(applied({})).toEqual({ 'connect-timeout-ms': '30000' });
  });

  test('but not one that may stay open', () => {
    const header = new Headers({ 'content-type': TYPES.grpc });
    setTimeoutHeader(header, undefined);
    expect(header.has('grpc-timeout')).toBe(false);
  });
});

describe('a deadline that is longer than a timer can hold is cut to one that is not', () => {
  test.each([
    [TYPES.grpc, 'grpc-timeout', '99999999H', '2147483S'],
    [TYPES.grpc, 'grpc-timeout', '99999999M', '2147483S'],
    [TYPES.grpc, 'grpc-timeout', '2147484S', '2147483S'],
    ['APPLICATION/GRPC-WEB+PROTO', 'grpc-timeout', '99999999H', '2147483S'],
    [TYPES.connect, 'connect-timeout-ms', '9999999999', '2147483647'],
    [TYPES.connect, 'connect-timeout-ms', '2147483648', '2147483647'],
  ])('%s, %s: %s', (type, name, value, expected) => {
    expect(applied({ 'content-type': type, [name]: value })).toEqual({ [name]: expected });
  });
});

test.each([
  [TYPES.grpc, 'grpc-timeout', ['0m', '1n', '5S', '2147483S', '99999999m', 'soon', '', '-1S', '123456789H']],
  [TYPES.connect, 'connect-timeout-ms', ['0', '1', '2147483647', 'soon', '-1', '1.5', '99999999999']],
] as const)(
  'every other deadline stays as it is, malformed ones for the protocol to refuse: %s',
  (type, name, values) => {
    for (const value of values)
      expect(applied({ 'content-type': type, [name]: value })).toEqual({ [name]: value });
  },
);

describe.each(WIRES)('%s', (wire) => {
  test('the default deadline holds: the answer comes in its time', async () => {
    const { url } = await startApp({ DEFAULT_DEADLINE: '1ms' });
    // 1,000 elements cannot be written within a millisecond.
    const items = Array.from({ length: 1_000 }, (_, i) => ({
      elementId: `${i + 1}`,
      comment: 'x'.repeat(1_000),
    }));
    const reply = await call(url, wire, 'BatchGenerate', { elementType: 1, items });
    expect(reply).toMatchObject({ code: 'DEADLINE_EXCEEDED', info: { reason: 'DEADLINE_EXCEEDED' } });
  });

  test('a client’s deadline wins over the default one', async () => {
    const { url } = await startApp({ DEFAULT_DEADLINE: '1ms' });
    const timeout = wire.startsWith('grpc') ? { 'grpc-timeout': '20S' } : { 'connect-timeout-ms': '20000' };
    const reply = await callBytes(
      url,
      wire,
      'GetSequence',
      encode(wire, 'GetSequence', { elementType: 1 }),
      timeout,
    );
    expect(reply.code).toBe('OK');
  });
});
