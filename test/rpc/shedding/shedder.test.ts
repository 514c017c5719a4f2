import { randomUUID } from 'node:crypto';
import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../../support/app.ts';
import { type Answer, type Caller, h2Caller } from '../../support/caller.ts';
import { capturedLog } from '../../support/log-lines.ts';
import { metricsOf } from '../../support/metrics-page.ts';
import { openSqlite } from '../../support/sqlite.ts';
import { until } from '../../support/until.ts';
import { call, pathOf, WIRES } from '../../support/wire.ts';

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
/** Where the limit of writes begins. */
const LIMIT = 512;
const IN_FLIGHT = 'sequence_rpc_in_flight';

/** A service whose database another process has locked, so that writes wait, and as many of them as are let in. */
async function full() {
  const { log, lines } = capturedLog();
  const app = await startApp({}, { log });
  const lock = await openSqlite(app.file);
  await lock.run('BEGIN IMMEDIATE');
  const callers: Caller[] = [0, 1, 2].map(() => h2Caller(app.port));
  const writes: Promise<Answer>[] = [];
  for (let elementId = 1; elementId <= LIMIT; elementId++)
    writes.push(callers[elementId % 3]!('Generate', { ...AT, elementId }));
  await until('as many run as may', async () => (await metricsOf(app.url)).get(IN_FLIGHT) === LIMIT);
  return { ...app, lines, writes, release: () => lock.run('ROLLBACK') };
}

test('more writes than can be answered are refused in each protocol; reads, health and what was let in are answered', async () => {
  const { url, writes, release, lines } = await full();
  for (const wire of WIRES) {
    const started = performance.now();
    const refused = await call(
      url,
      wire,
      'Generate',
      { ...AT, elementId: '9999' },
      { 'x-request-id': 'mine' },
    );
    expect(refused).toMatchObject({
      status: wire.startsWith('connect') ? 429 : 200,
      code: 'RESOURCE_EXHAUSTED',
      info: { reason: 'OVERLOADED', domain: 'sequence.fountain', metadata: { retry_after_ms: '500' } },
      retryDelayMs: 500,
      headers: { 'x-request-id': 'mine' },
    });
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(await call(url, wire, 'GetSequence', AT)).toMatchObject({ code: 'OK' });
  }
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await metricsOf(url)).get('sequence_requests_refused_total{reason="overloaded"}')).toBe(
    WIRES.length,
  );
  expect(lines.filter(({ msg }) => /more calls come/.test(String(msg)))).toMatchObject([{ refused: 1 }]);

  await release();
  const numbers = (await Promise.all(writes)).map(({ body }) => Number(body['sequenceNumber']));
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: LIMIT }, (_, index) => index + 1));
  const served = await call(url, 'connect-json', 'Generate', { ...AT, elementId: '9999' });
  expect(served.answer).toMatchObject({ sequenceNumber: LIMIT + 1 });
});

test('a refused message that is still on its way does not keep its stream or connection', async () => {
  const { port, writes, release } = await full();
  const session = http2.connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': pathOf('Generate'),
    'content-type': 'application/grpc',
  });
  stream.write(Buffer.alloc(3));
  let status: unknown;
  stream.on('response', (headers) => {
    status = headers['grpc-status'];
  });
  stream.resume();
  await new Promise((resolve) => stream.on('close', resolve));
  expect([status, stream.rstCode]).toEqual(['8', 0]);
  await release();
  await Promise.all(writes);
});

test('where the loop is short, a hot sequence gets its share; its other calls give up their places before they are told', async () => {
  const { port, file } = await startApp();
  const lock = await openSqlite(file);
  await lock.run('BEGIN IMMEDIATE');
  const rest = keepLoopBusy();
  let nextId = 1;
  const sendTo = async (scopes: readonly string[]) => {
    const caller = h2Caller(port);
    const answers = scopes.map(async (scope) => {
      const body = { ...AT, scope, elementId: nextId++, requestId: randomUUID() };
      return { asked: body, ...(await caller('Generate', body)) };
    });
    // They have come when a later call has its answer.
    await caller('GetSequence', AT);
    return { answers };
  };
  const hot = Array<string>(100).fill('hot');
  const cold = Array.from({ length: 5 }, (_, index) => `cold-${index}`);
  await sleep(300);
  const before = [await sendTo(hot), await sendTo(hot), await sendTo(hot)];
  type Sent = Awaited<ReturnType<typeof sendTo>>['answers'];
  const others: Sent = [];
  const beyond: Sent = [];
  // Far more than there are places left.
  for (let round = 0; round < 6; round++) {
    others.push(...(await sendTo(cold)).answers);
    beyond.push(...(await sendTo(hot)).answers);
  }
  others.push(...(await sendTo(cold)).answers);

  rest();
  await lock.run('ROLLBACK');
  const letIn = [...before.flatMap(({ answers }) => answers), ...others];
  for (const { status } of await Promise.all(letIn)) expect(status).toBe(200);
  const refused = (await Promise.all(beyond)).filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(400);
  for (const { status, body } of refused) {
    expect(status).toBe(429);
    // Others are refused at the edge, which does not know what they are for.
    expect(body['message']).toMatch(/writes to this sequence/);
  }
  // Nothing was written, nor is the request id used up.
  const again = await h2Caller(port)('Generate', refused[0]!.asked);
  expect(again).toMatchObject({ status: 200, body: { sequenceNumber: 900 - refused.length + 1 } });
});

test('messages that do not come hold no place', async () => {
  const { url, port } = await startApp();
  for (let connection = 0; connection < 3; connection++) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    for (let stream = 0; stream < 200; stream++)
      session
        .request({ ':method': 'POST', ':path': pathOf('Generate'), 'content-type': 'application/json' })
        .on('error', () => {})
        .write('{"scope":');
    await new Promise((resolve) => session.ping(resolve));
  }
  await sleep(50);
  expect(await call(url, 'grpc', 'Generate', { ...AT, elementId: '1' })).toMatchObject({ code: 'OK' });
});

test.each(['on', 'off'])('answers that are not taken hold no place (lane %s)', async (lane) => {
  const { url, port } = await startApp({ LANE: lane });
  // More than the limit can ever grow to.
  const sessions = Array.from({ length: 18 }, () =>
    http2.connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } }),
  );
  const streams = sessions.flatMap((session) =>
    Array.from({ length: 250 }, () => {
      const headers = { ':method': 'POST', ':path': pathOf('Generate'), 'content-type': 'application/json' };
      return session.request(headers).end('{}').resume();
    }),
  );
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
  });
  await sleep(1_000);
  // Refused while thousands of calls are being answered, and let in when they have been, though none was taken.
  await until(
    'another call is let in',
    async () => (await call(url, 'grpc', 'Generate', { ...AT, elementId: '1' })).code === 'OK',
    20_000,
  );
  expect(streams.every((stream) => stream.closed)).toBe(false);
  // The service need not wait for its time-out to stop.
  for (const session of sessions) session.settings({ initialWindowSize: 65_535 });
  await until('all are taken', () => streams.every((stream) => stream.closed));
});

/** Has the event loop of this process at work until what it returns is called. */
function keepLoopBusy(): () => void {
  let busy = true;
  const work = () => {
    const until = performance.now() + 1;
    while (performance.now() < until);
    if (busy) setImmediate(work);
  };
  const rest = () => {
    busy = false;
  };
  onTestFinished(rest);
  work();
  return rest;
}
