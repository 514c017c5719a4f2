import { describe, expect, test } from 'vitest';
import { answers } from '../support/typesense/faults.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { ask, failureOf } from './ask.ts';
import { asker, SCHEMA } from './typesense-asker.ts';

const UPSERT = '/collections/c1/documents?action=upsert';
const IMPORT = '/collections/c1/documents/import?action=upsert';
const one = { id: '1', title: 'one' };
const lines = [1, 2, 3, 4].map((n) => JSON.stringify({ id: `${n}`, title: 't' })).join('\n');

async function ready() {
  const double = await startTypesense();
  const request = asker(double);
  await request('POST', '/collections', SCHEMA);
  double.log.forget();
  const leave = async (path: string, body: string) => {
    const call = ask(double.url, 'POST', path, {
      body,
      headers: { 'x-typesense-api-key': double.apiKey },
      signal: AbortSignal.timeout(50),
    });
    return await failureOf(call);
  };
  return { double, request, leave };
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 5, timeout: 3000 }).toBe(true);
}

describe('hang', () => {
  test('applied at once, by half, or never', async () => {
    const { double, leave } = await ready();
    double.faults.next([{ kind: 'hang' }, { kind: 'hang', apply: 'half' }, { kind: 'hang', apply: 'now' }]);
    const counts: number[] = [];
    for (let n = 0; n < 3; n++) {
      expect(await leave(IMPORT, lines)).toBe('ABORT_ERR');
      counts.push(double.documents('c1').length);
    }
    expect(counts).toEqual([0, 2, 4]);
    await until(() => double.log.requests.every(({ outcome }) => outcome === 'client-gone'));
    expect(double.log.requests.map(({ applied }) => applied)).toEqual([false, true, true]);
  });

  test('applied after the client has gone', async () => {
    const { double, leave } = await ready();
    double.faults.next({ kind: 'hang', apply: 'on-close', lateMs: 60 });
    await leave(UPSERT, JSON.stringify(one));
    expect(double.documents('c1')).toEqual([]);
    await until(() => double.documents('c1').length === 1);
  });

  test('held until the test says so, and then over a newer state', async () => {
    const { double, request, leave } = await ready();
    double.faults.next({ kind: 'hang', apply: 'held' });
    await leave(UPSERT, JSON.stringify(one));
    await request('POST', UPSERT, { id: '1', title: 'newer' });
    expect(double.documents('c1')).toEqual([{ id: '1', title: 'newer' }]);
    expect(double.server.applyHeld()).toBe(1);
    expect(double.documents('c1')).toEqual([one]);
    expect(double.server.applyHeld()).toBe(0);
  });
});

describe('reset and truncate', () => {
  test('before, after and in the middle', async () => {
    const { double, request } = await ready();
    double.faults.next([
      { kind: 'reset' },
      { kind: 'reset', apply: 'half' },
      { kind: 'reset', apply: 'now' },
      { kind: 'reset', answer: 'half' },
    ]);
    const counts: number[] = [];
    for (let n = 0; n < 4; n++) {
      expect(await failureOf(request('POST', IMPORT, lines))).toBe('ECONNRESET');
      counts.push(double.documents('c1').length);
    }
    expect(counts).toEqual([0, 2, 4, 4]);
    expect(double.log.requests.every(({ outcome }) => outcome === 'broken')).toBe(true);
  });

  test('half of the answer: the connection ends there, or the message does', async () => {
    const { double, request } = await ready();
    double.faults.next([{ kind: 'truncate' }, { kind: 'truncate', end: 'clean' }]);
    expect(await failureOf(request('POST', IMPORT, lines))).toBe('ECONNRESET');
    const clean = await request('POST', IMPORT, lines);
    expect(clean.status).toBe(200);
    expect(clean.body).toBe('{"success":true}\n{"success":true');
    expect(() => JSON.parse(clean.body.split('\n').at(-1)!)).toThrow();
  });

  test('fewer lines', async () => {
    const { double, request } = await ready();
    double.faults.next({ kind: 'fewer-lines', missing: 3 });
    expect((await request('POST', IMPORT, lines)).body).toBe('{"success":true}');
    expect(double.documents('c1')).toHaveLength(4);
  });
});

describe('answers', () => {
  test('any status, headers and body; applied if so asked', async () => {
    const { double, request } = await ready();
    double.faults.next([
      answers.tooMany('7'),
      answers.html(),
      answers.empty(),
      { kind: 'answer', status: 502, body: 'bad gateway', apply: 'now' },
    ]);
    const tooMany = await request('POST', UPSERT, one);
    expect([tooMany.status, tooMany.headers['retry-after']]).toEqual([429, '7']);
    const html = await request('POST', UPSERT, one);
    expect([html.status, html.headers['content-type']]).toEqual([200, 'text/html']);
    const empty = await request('POST', UPSERT, one);
    expect([empty.status, empty.headers['content-type'], empty.body]).toEqual([500, '', '']);
    expect(double.documents('c1')).toEqual([]);
    expect(await request('POST', UPSERT, one)).toMatchObject({ status: 502, body: 'bad gateway' });
    expect(double.documents('c1')).toEqual([one]);
  });

  test('late, and then as usual or with another fault', async () => {
    const { double, request } = await ready();
    double.faults.next([
      { kind: 'delay', ms: 60 },
      { kind: 'delay', ms: 1, followedBy: { kind: 'reset' } },
    ]);
    const startMs = performance.now();
    expect((await request('POST', UPSERT, one)).status).toBe(201);
    expect(performance.now() - startMs).toBeGreaterThan(55);
    expect(await failureOf(request('POST', UPSERT, one))).toBe('ECONNRESET');
  });
});

describe('the port', () => {
  test('closed by a request, opened after a time or by the test; documents stay', async () => {
    const { double, request } = await ready();
    await request('POST', UPSERT, one);
    double.faults.next({ kind: 'refuse' });
    expect(await failureOf(request('GET', '/health'))).toBe('ECONNRESET');
    expect(await failureOf(request('GET', '/health'))).toBe('ECONNREFUSED');
    await double.server.open();
    expect((await request('GET', '/collections/c1/documents/1')).status).toBe(200);
    double.faults.next({ kind: 'refuse', forMs: 30 });
    expect(await failureOf(request('GET', '/health'))).toBe('ECONNRESET');
    expect(await failureOf(request('GET', '/health'))).toBe('ECONNREFUSED');
    await expect.poll(() => failureOf(request('GET', '/health')), { interval: 10 }).toBe('no failure');
  });

  test('after stop nothing is left: no connection, no timer that fires', async () => {
    const { double, leave } = await ready();
    double.faults.always({ kind: 'hang', apply: 'on-close', lateMs: 20 });
    const calls = [1, 2, 3].map(() => leave(UPSERT, JSON.stringify(one)));
    await until(() => double.log.inFlight === 3);
    await double.server.stop();
    await Promise.all(calls);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect([double.server.connections.open, double.log.inFlight]).toEqual([0, 0]);
    expect(double.documents('c1')).toEqual([]);
  });
});

describe('the index', () => {
  test('one document is refused for good, in an import and alone, until it is accepted', async () => {
    const { double, request } = await ready();
    double.store.refuse('2', 413, 'too large for the test');
    const answer = await request('POST', IMPORT, lines);
    expect(answer.body.split('\n').map((line) => JSON.parse(line).code ?? 'ok')).toEqual([
      'ok',
      413,
      'ok',
      'ok',
    ]);
    expect((await request('POST', UPSERT, { id: '2', title: 'x' })).status).toBe(413);
    double.store.accept('2');
    expect((await request('POST', UPSERT, { id: '2', title: 'x' })).status).toBe(201);
  });

  test('a collection is dropped while the server runs', async () => {
    const { double, request } = await ready();
    expect(double.drop('c1')).toBe(true);
    expect((await request('POST', IMPORT, lines)).status).toBe(404);
    expect(double.documents('c1')).toEqual([]);
  });
});

describe('the record', () => {
  test('every request with its route, documents, fault and end', async () => {
    const { double, request } = await ready();
    double.faults.next({ kind: 'fewer-lines' }, ({ route }) => route === 'import');
    await request('GET', '/nowhere');
    await request('POST', IMPORT, lines);
    expect(double.log.requests).toMatchObject([
      { method: 'GET', path: '/nowhere', route: '', fault: 'none', status: 404, outcome: 'answered' },
      { route: 'import', documents: 4, fault: 'fewer-lines', status: 200, body: lines, applied: true },
    ]);
    expect(double.log.requests[1]!.query.get('action')).toBe('upsert');
    expect(double.log.counts()).toEqual({ '': 1, import: 1 });
    expect(double.log.documentsReceived).toBe(4);
  });

  test('how many at one time, and how little is kept when asked', async () => {
    const { double, request } = await ready();
    double.faults.always({ kind: 'delay', ms: 30 });
    await Promise.all([1, 2, 3].map(() => request('GET', '/health')));
    expect([double.log.mostInFlight, double.log.inFlight]).toEqual([3, 0]);
    double.server.keeps = 'heads';
    await request('POST', UPSERT, one);
    expect(double.log.requests.at(-1)).toMatchObject({ route: 'documents.write', body: '' });
    double.server.keeps = 'nothing';
    await request('POST', UPSERT, one);
    expect(double.log.to('documents.write')).toHaveLength(1);
    expect(double.log.documentsReceived).toBe(2);
  });
});
