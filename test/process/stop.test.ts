import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GrpcHealthClient } from '../rpc/health/grpc-client.ts';
import { type Caller, get, h1Caller, h2Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { messagesOf, startMain, startService } from '../support/service.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const FIXTURE = new URL('./faults.ts', import.meta.url).pathname;
const SLOW_LOADING = new URL('./slow-loading.ts', import.meta.url).pathname;
const SECTIONS = { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' };
const GENERATE = '/fountain.sequence.v1.SequenceService/Generate';

test('SIGTERM under load: every accepted request is answered, Watches end, idle connections hold nothing up', async () => {
  const { child, ended, port, file, log } = await startService();
  const health = new GrpcHealthClient(port);
  onTestFinished(() => health.close());
  const watches = ['', 'fountain.sequence.v1.SequenceService', '', ''].map((name) => health.watch(name));
  await until('every Watch is told', () => watches.every(({ told }) => told.length === 1));
  const idle = [h1Caller(port), h2Caller(port)];
  for (const call of idle) await call('GetSequence', SECTIONS);
  await silentConnection(port);

  /** What was answered, by correlation id. */
  const answered = new Map<string, number>();
  let elementId = 0;
  const generateUntilClosed = async (call: Caller) => {
    for (;;) {
      elementId += 1;
      const correlationId = `load-${elementId}`;
      try {
        const { status } = await call('Generate', { ...SECTIONS, elementId }, correlationId);
        answered.set(correlationId, status);
      } catch {
        // Refused or never looked at; the log tells which, below.
        return;
      }
    }
  };
  const callers = [h1Caller(port), h2Caller(port), h2Caller(port)];
  const load = Array.from({ length: 32 }, (_, index) => generateUntilClosed(callers[index % 3]!));
  await until('load', () => answered.size > 300);
  const signalled = performance.now();
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(performance.now() - signalled).toBeLessThan(10_000);
  expect(messagesOf(stdout).at(-1)).toBe('stopped');
  await Promise.all(load);

  const accepted = log().filter(({ correlation_id: id }) => String(id).startsWith('load-'));
  expect(accepted.length).toBeGreaterThan(300);
  expect(accepted.filter(({ correlation_id: id }) => !answered.has(String(id)))).toEqual([]);
  expect(new Set(answered.values())).toEqual(new Set([200]));
  const verified = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
  expect(verified.stdout).toContain(`1 sequences, ${answered.size} elements`);
  for (const { told, ended: end } of watches) {
    const { code: status, metadata } = await end;
    expect({ told, status }).toEqual({ told: ['SERVING', 'NOT_SERVING'], status: 14 });
    expect(String(metadata.get('grpc-status-details-bin')[0])).toContain('DRAINING');
  }
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while the program is being loaded ends it', async (signal) => {
  const { child, ended, stdout } = await startMain({ execArgs: ['--import', SLOW_LOADING] });
  await until('it is loaded', () => stdout() === 'loading\n');
  child.kill(signal);
  // Not the signal's own effect, which process 1 of a container is spared, and so would never end.
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});

test('DRAIN_DELAY: not ready at once, while requests are served until it ends', async () => {
  const { child, ended, port } = await startService({ env: { DRAIN_DELAY: '1500ms' } });
  const health = new GrpcHealthClient(port);
  onTestFinished(() => health.close());
  expect(await health.check('')).toEqual({ status: 'SERVING' });
  expect((await get(port, '/readyz')).status).toBe(200);
  const signalled = performance.now();
  child.kill('SIGTERM');
  const page = await until('readiness is off', async () => {
    const { status, text } = await get(port, '/readyz');
    return status !== 200 && { status, text };
  });
  expect(page).toMatchObject({ status: 503, text: expect.stringContaining('"not_ready"') });
  expect(performance.now() - signalled).toBeLessThan(1_000);
  expect(await health.check('')).toEqual({ status: 'NOT_SERVING' });
  const generated = await h1Caller(port)('Generate', { ...SECTIONS, elementId: 1 });
  expect(generated.status).toBe(200);
  expect((await ended).code).toBe(0);
  expect(performance.now() - signalled).toBeGreaterThan(1_400);
});

describe('a client that hangs in the middle of its request', () => {
  test.each([
    ['HTTP/1.1', hangingH1],
    ['HTTP/2', hangingH2],
  ])('over %s, is cut off at STOP_TIMEOUT', async (_protocol, hang) => {
    const { child, ended, port } = await startService({ env: { STOP_TIMEOUT: '400ms' } });
    const { closed } = await hang(port);
    const signalled = performance.now();
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(performance.now() - signalled).toBeGreaterThan(350);
    expect(performance.now() - signalled).toBeLessThan(2_000);
    const messages = messagesOf(stdout).filter((message) => message !== 'rpc refused');
    expect(messages.slice(-2)).toEqual([expect.stringContaining('took too long'), 'stopped']);
    await closed;
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('is cut off by a second signal (%s)', async (second) => {
    const { child, ended, port } = await startService({ env: { STOP_TIMEOUT: '9s' } });
    const { closed } = await hangingH1(port);
    child.kill('SIGTERM');
    await until('it does not accept', () => get(port, '/livez').then(() => false, isRefused));
    const signalled = performance.now();
    child.kill(second);
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(performance.now() - signalled).toBeLessThan(2_000);
    expect(messagesOf(stdout).at(-1)).toBe('stopped');
    await closed;
  });
});

describe('the unforeseen', () => {
  test.each([
    ['an uncaught exception', 'SIGUSR2', 'thrown from outside'],
    ['an unhandled rejection', 'SIGWINCH', 'rejected from outside'],
  ] as const)(
    '%s is logged and ends the service in order, with exit code 1',
    async (_what, signal, message) => {
      const { child, ended, port } = await startService({ execArgs: ['--import', FIXTURE] });
      await h1Caller(port)('Generate', { ...SECTIONS, elementId: 1 });
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
      expect(stdout).toContain(`"message":"${message}"`);
      const messages = messagesOf(stdout).filter((message) => message !== 'rpc refused');
      expect(messages.slice(-2)).toEqual([expect.stringContaining('nobody caught'), 'stopped']);
    },
  );

  test('a handle that stays open does not keep the process', async () => {
    const { child, ended } = await startService({
      env: { STOP_TIMEOUT: '100ms' },
      execArgs: ['--import', FIXTURE],
    });
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(messagesOf(stdout).at(-1)).toBe('stopped');
    expect(stderr).toMatch(/^the process did not end by itself; it is ended with .*Timeout.* open\n$/);
  });

  test('nor does a log that nobody reads', async () => {
    const fifo = join(await temporaryFolder(), 'log');
    execFileSync('mkfifo', [fifo]);
    const filling = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const blocking = openSync(fifo, constants.O_RDWR);
    onTestFinished(() => [filling, blocking].forEach(closeSync));
    expect(() => {
      for (;;) writeSync(filling, 'x'.repeat(4096));
    }).toThrow('EAGAIN');

    const { child, ended, file } = await startMain({ stdout: blocking, env: { STOP_TIMEOUT: '500ms' } });
    await until('it has opened its database', () => verifies(file));
    const signalled = performance.now();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - signalled).toBeLessThan(4_000);
  });

  test('nor does a thread that hangs in the kernel, which process.exit would wait for', async () => {
    const fifo = join(await temporaryFolder(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { child, ended } = await startService({
      env: { STOP_TIMEOUT: '100ms', FIFO: fifo },
      execArgs: ['--import', FIXTURE],
    });
    child.kill('SIGIO');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 'SIGKILL', stderr: expect.stringContaining('FSReqCallback') });
  });

  test('a log whose reader went away hinders neither the service nor its stop', async () => {
    const { child, ended, port } = await startService();
    child.stdout?.destroy();
    const call = h1Caller(port);
    for (let elementId = 1; elementId <= 50; elementId++)
      expect(await call('Generate', { ...SECTIONS, elementId })).toMatchObject({ status: 200 });
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

async function verifies(file: string): Promise<boolean> {
  return (await cli(['migrate', '--check'], { DATABASE_URL: `sqlite:///${file}` })).code === 0;
}

function isRefused(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNREFUSED';
}

async function silentConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Sends half a request; resolves when the service waits for the rest, with a promise for the connection's end. */
async function hangingH1(port: number): Promise<{ closed: Promise<unknown> }> {
  const socket = await silentConnection(port);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const lines = [
    `POST ${GENERATE} HTTP/1.1`,
    'Host: x',
    'Content-Type: application/json',
    'Content-Length: 100',
    'Expect: 100-continue',
  ];
  const proceed = new Promise((resolve) => socket.once('data', resolve));
  socket.write(`${lines.join('\r\n')}\r\n\r\n{"scope":`);
  expect(String(await proceed)).toContain('100 Continue');
  return { closed };
}

/** As {@link hangingH1}, over HTTP/2. */
async function hangingH2(port: number): Promise<{ closed: Promise<unknown> }> {
  const session = http2.connect(`http://127.0.0.1:${port}`).on('error', () => {});
  onTestFinished(() => session.destroy());
  const closed = new Promise((resolve) => session.once('close', resolve));
  const stream = session.request({
    ':method': 'POST',
    ':path': GENERATE,
    'content-type': 'application/json',
  });
  stream.on('error', () => {});
  stream.write('{"scope":');
  // Its answer comes after what was sent before it.
  await new Promise((resolve) => session.ping(resolve));
  return { closed };
}
