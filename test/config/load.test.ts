import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config.ts';

const MIB = 1024 * 1024;

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env, { cwd: '/srv' });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test('the defaults', () => {
  expect(loadConfig({}, { cwd: '/srv' })).toEqual({
    server: {
      host: '127.0.0.1',
      port: 8080,
      corsOrigins: [],
      defaultDeadlineMs: 30_000,
      maxBodyBytes: 4 * MIB,
      lane: 'on',
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      idleTimeoutMs: 120_000,
      maxHeaderBytes: 16_384,
      maxConcurrentStreams: 256,
      maxConnections: 10_000,
      drainDelayMs: 0,
      stopTimeoutMs: 8000,
    },
    tls: { certFile: '', keyFile: '', clientCaFile: '' },
    auth: {
      mode: '',
      tokensFile: '',
      jwksUrl: '',
      jwtSecret: '',
      jwtPublicKeyFile: '',
      jwtIssuer: '',
      jwtAudience: '',
      publicDiagnostics: 'auto',
    },
    database: {
      url: { engine: 'sqlite', file: '/srv/data/sequence.db' },
      readers: 2,
      writers: 2,
      sslCa: '',
      lockTimeoutMs: 5000,
      statementTimeoutMs: 30_000,
      migrate: 'auto',
    },
    writer: { maxBatch: 512, maxQueue: 8192, maxQueueBytes: 64 * MIB, maxRenumber: 100_000 },
    log: { level: 'info', pretty: 'auto' },
    service: { name: 'sequence-service' },
    sync: {
      typesenseUrl: '',
      typesenseApiKey: '',
      typesenseClientUrl: '',
      typesenseServiceApiKey: '',
      keyManagementUrl: '',
      adminToken: '',
      collection: 'sequence_documents',
      worker: 'on',
      concurrency: 16,
      callTimeoutMs: 5000,
      maxAttempts: 5,
      settleMs: 30_000,
    },
    client: { token: '', caFile: '', certFile: '', keyFile: '' },
    warnings: [],
  });
});

test('the result is frozen to the bottom', () => {
  const config = loadConfig({ CORS_ORIGINS: 'https://a.example' });
  expect(() => Object.assign(config.server, { port: 1 })).toThrow(TypeError);
  expect(Object.isFrozen(config.server.corsOrigins)).toBe(true);
});

test('every fault is reported at once, in words', () => {
  expect(
    faultsOf({ PORT: '80a', HOST: 'http://x', LOG_LEVEL: 'loud', STOP_TIMEOUT: '2s', DRAIN_DELAY: '3s' }),
  ).toEqual([
    'HOST must be an IP address or a host name, without scheme, port or brackets; it is "http://x"',
    'PORT must be an integer from 0 to 65535; it is "80a"',
    'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent; it is "loud"',
    'STOP_TIMEOUT must be above DRAIN_DELAY, which is a part of it; DRAIN_DELAY is 3s, STOP_TIMEOUT is 2s',
  ]);
  expect(() => loadConfig({ PORT: '80a' })).toThrow(
    'The configuration cannot be used:\n  - PORT must be an integer from 0 to 65535; it is "80a"',
  );
});

test('a blank variable counts as not set, and blanks around a value are dropped', () => {
  expect(loadConfig({ PORT: '', HOST: '  ', LOG_LEVEL: ' WARN ' })).toMatchObject({
    server: { port: 8080, host: '127.0.0.1' },
    log: { level: 'warn' },
  });
});

test('what is repeated in a message stands on one line, without control characters, and is cut', () => {
  const [fault] = faultsOf({ PORT: `\n\u001b[31m\u009b${'9'.repeat(500)}` });
  expect(fault).toMatch(/^[\x20-\x7e…]+$/);
  expect(fault!.length).toBeLessThan(200);
});

describe('units', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['2m', 120_000],
    ['2M', 120_000],
    ['45', 45_000],
    ['1.5', 1500],
    ['0.1s', 100],
    ['1 s', 1000],
  ])('DEFAULT_DEADLINE=%s is %i ms', (text, ms) => {
    expect(loadConfig({ DEFAULT_DEADLINE: text }).server.defaultDeadlineMs).toBe(ms);
  });

  test.each([
    ['4194304', 4 * MIB],
    ['4MiB', 4 * MIB],
    ['64KiB', 65_536],
    ['1.5mib', 1.5 * MIB],
    ['2048B', 2048],
  ])('MAX_BODY_BYTES=%s is %i bytes', (text, bytes) => {
    expect(loadConfig({ MAX_BODY_BYTES: text }).server.maxBodyBytes).toBe(bytes);
  });

  test.each([
    ['DEFAULT_DEADLINE', ['0', '11m', '-1s', '1d', '1e3', '0.0001s', 's', '1s 2s', 'Infinity', 'NaN']],
    ['MAX_BODY_BYTES', ['0', '4MB', '4M', '65MiB', '1024.5', '0x400', '1_024']],
    ['PORT', ['-1', '65536', '1.5', '0x50', '+80', '8 0', '1e2', '٣']],
    ['DATABASE_READERS', ['0', '17']],
    ['STOP_TIMEOUT', ['10s', '0']],
    ['WRITER_MAX_QUEUE', ['1', '0']],
    ['MIGRATE', ['never']],
    ['LOG_PRETTY', ['true']],
    ['SERVICE_NAME', ['x'.repeat(65), 'a\nb', 'é']],
  ])('%s refuses %j', (name, texts) => {
    for (const text of texts)
      expect([text, faultsOf({ [name]: text })]).toEqual([text, [expect.stringContaining(name)]]);
  });
});

test.each(['::', '::1', 'fe80::1%eth0', '0.0.0.0', 'localhost', 'a.example', 'my_host'])(
  'HOST=%s',
  (host) => {
    expect(loadConfig({ HOST: host }).server.host).toBe(host);
  },
);

test.each(['a:80', '[::1]', '999.1.1.1', '1.2.3', 'a..b', '-a', 'a b', 'a/b'])('HOST refuses %s', (host) => {
  expect(faultsOf({ HOST: host })).toHaveLength(1);
});

test('CORS_ORIGINS are exact origins', () => {
  const text = 'https://a.example, http://localhost:5173,,https://a.example';
  expect(loadConfig({ CORS_ORIGINS: text }).server.corsOrigins).toEqual([
    'https://a.example',
    'http://localhost:5173',
  ]);
});

test.each([
  ['https://a.example/', '"https://a.example"'],
  ['https://A.example:443/path', '"https://a.example"'],
  ['*', '* (everybody) is not allowed'],
  ['null', 'exact origins'],
  ['a.example', 'exact origins'],
  ['ftp://a.example', 'exact origins'],
  ['https://user@a.example', 'exact origins'],
])('CORS_ORIGINS refuses %s', (text, reason) => {
  expect(faultsOf({ CORS_ORIGINS: text })).toEqual([expect.stringContaining(reason)]);
});

test.each([
  [{ WRITER_MAX_QUEUE: '511' }, 'WRITER_MAX_QUEUE must be at least WRITER_MAX_BATCH'],
  [{ WRITER_MAX_QUEUE_BYTES: '7MiB' }, 'WRITER_MAX_QUEUE_BYTES must be at least twice MAX_BODY_BYTES'],
  [{ REQUEST_TIMEOUT: '5s' }, 'HEADERS_TIMEOUT must not be above REQUEST_TIMEOUT'],
  [{ DRAIN_DELAY: '8s' }, 'STOP_TIMEOUT must be above DRAIN_DELAY'],
])('%j contradicts another value', (env, fault) => {
  expect(faultsOf(env)).toEqual([expect.stringContaining(fault)]);
});

test('documents go to one place, and with a key', () => {
  const both = 'TYPESENSE_URL and TYPESENSE_CLIENT_URL must not both be set: documents go to one place';
  expect(
    faultsOf({ TYPESENSE_URL: 'http://a', TYPESENSE_API_KEY: 'geheim', TYPESENSE_CLIENT_URL: 'http://b' }),
  ).toEqual([
    `${both}; TYPESENSE_URL is http://a, TYPESENSE_CLIENT_URL is http://b`,
    'TYPESENSE_CLIENT_URL needs TYPESENSE_SERVICE_API_KEY, or KEY_MANAGEMENT_URL with ADMIN_TOKEN; TYPESENSE_CLIENT_URL is http://b, TYPESENSE_SERVICE_API_KEY is empty, KEY_MANAGEMENT_URL is empty, ADMIN_TOKEN is empty',
  ]);
  expect(faultsOf({ TYPESENSE_URL: 'http://a' })).toEqual([
    'TYPESENSE_URL needs TYPESENSE_API_KEY; TYPESENSE_URL is http://a, TYPESENSE_API_KEY is empty',
  ]);
  const kept = { TYPESENSE_CLIENT_URL: 'http://b/', KEY_MANAGEMENT_URL: 'http://k', ADMIN_TOKEN: 'geheim' };
  expect(loadConfig(kept).sync).toMatchObject({ typesenseClientUrl: 'http://b', adminToken: 'geheim' });
});

test.each([
  ['', undefined],
  ['1000/s', { calls: 1_000, perMs: 1_000 }],
  ['5000 / M', { calls: 5_000, perMs: 60_000 }],
  ['1/h', { calls: 1, perMs: 3_600_000 }],
])('RATE_LIMIT=%s', (text, rate) => expect(loadConfig({ RATE_LIMIT: text }).server.rateLimit).toEqual(rate));

test.each(['0/s', '10', '10/d', '/s', '-1/s', '1.5/s', '10000000000/s'])('RATE_LIMIT=%s is refused', (text) =>
  expect(() => loadConfig({ RATE_LIMIT: text })).toThrow(/RATE_LIMIT must be a number of calls/),
);
