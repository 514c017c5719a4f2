import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/health/v1/health_pb.js';
import { capturedLog } from '../support/log-lines.ts';
import { sharedApp } from '../support/shared-app.ts';
import { openSqlite } from '../support/sqlite.ts';
import { reflect, STREAMS, TRANSPORTS } from '../support/streams.ts';
import { bearer, writeTokens } from '../support/tokens-file.ts';
import { call, WIRES, type Wire } from '../support/wire.ts';

const ALICE = 'seq_alice-0000000000000000000000000000000000000';
const READER = 'seq_reader-000000000000000000000000000000000000';
const BOB = 'seq_bob-000000000000000000000000000000000000000';
const OPERATOR = 'seq_operator-0000000000000000000000000000000000';
const TENANT = 'seq_tenant-000000000000000000000000000000000000';
const ADMIN = 'the-admin-token-of-the-original';

/** What a configuration may turn on and off without an attempt's getting anything else. */
const FRONTS: readonly (readonly [name: string, env: Readonly<Record<string, string>>])[] = [
  ['without the lane', { LANE: 'off' }],
  ['with the lane', { LANE: 'on' }],
];

describe.each(FRONTS)('attempts, %s', (_, front) => {
  let folder: string;
  const { log, lines } = capturedLog();
  const env: Record<string, string> = {
    AUTH: 'tokens',
    PUBLIC_DIAGNOSTICS: 'off',
    ADMIN_TOKEN: ADMIN,
    ...front,
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attempts-'));
    env['API_TOKENS_FILE'] = await writeTokens(folder, {
      alice: ['write', 'play-*,shared', ALICE],
      bob: ['write', 'play-*,shared', BOB],
      reader: ['read', 'shared', READER],
      operator: ['admin', '*', OPERATOR],
      tenant: ['admin', 'play-*', TENANT],
    });
    return () => rm(folder, { recursive: true });
  });
  const app = sharedApp(env, { log });

  const SEQUENCE = { scope: 'play-1', elementType: 'ELEMENT_TYPE_SCRIPT' };
  let nextId = 1;
  const element = (scope = 'play-1') => ({ ...SEQUENCE, scope, elementId: String(nextId++) });

  /** The header of a call, by what is attempted with it. */
  const NOT_LET_IN: readonly (readonly [attempt: string, headers: Readonly<Record<string, string>>])[] = [
    ['no credentials', {}],
    ['a guessed token', bearer('seq_alice-0000000000000000000000000000000000001')],
    ['the beginning of a token', bearer(ALICE.slice(0, -1))],
    ['a token and more', bearer(`${ALICE}0`)],
    ['a token in other letters', bearer(ALICE.toUpperCase())],
    ['an empty token', { authorization: 'Bearer ' }],
    ['an empty header', { authorization: '' }],
    ['a token with blanks inside', bearer(`${ALICE.slice(0, 9)} ${ALICE.slice(9)}`)],
    ['two tokens', bearer(`${ALICE}, Bearer ${ALICE}`)],
    ['another scheme', { authorization: `Basic ${Buffer.from(`alice:${ALICE}`).toString('base64')}` }],
    ['no scheme', { authorization: ALICE }],
    [
      'a JWT without a signature',
      bearer('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInJvbGVzIjpbImFkbWluIl19.'),
    ],
    ['the hash in the file', bearer('0'.repeat(64))],
    ['a name of an object’s own', bearer('__proto__')],
    ['a token of 8 KiB', bearer('x'.repeat(8192))],
  ];

  describe.each(WIRES)('%s', (wire: Wire) => {
    test.each(NOT_LET_IN)('%s: UNAUTHENTICATED', async (_attempt, headers) => {
      for (const [method, message] of [
        ['Generate', element()],
        ['GetSequence', SEQUENCE],
      ] as const) {
        const reply = await call(app().url, wire, method, message, headers);
        expect(reply).toMatchObject({
          code: 'UNAUTHENTICATED',
          info: { reason: 'UNAUTHENTICATED', metadata: {} },
        });
        // A 401 of HTTP names its scheme.
        if (reply.status === 401) expect(reply.headers['www-authenticate']).toBe('Bearer');
        expect(reply.status).toBe(wire.startsWith('connect') ? 401 : 200);
        // Neither the token nor what it was compared with.
        for (const secret of [headers['authorization'] ?? 'none', ALICE, 'alice'])
          if (secret !== '') expect(reply.body.toString() + reply.message).not.toContain(secret);
      }
    });

    test('the right token: let in', async () => {
      for (const headers of [bearer(ALICE), { authorization: `bearer ${ALICE}` }])
        expect(await call(app().url, wire, 'Generate', element(), headers)).toMatchObject({ code: 'OK' });
    });

    test('trailing blanks: no part of the token over HTTP/1.1, a malformed header over HTTP/2', async () => {
      const reply = await call(app().url, wire, 'Generate', element(), bearer(`${ALICE}  `));
      expect(reply.code).toBe(wire === 'grpc' ? 'UNAUTHENTICATED' : 'OK');
    });

    test.each([
      ['writes in another scope', 'Generate', ALICE, 'other'],
      ['reads in another scope', 'GetSequence', ALICE, 'other'],
      ['in the default scope', 'GetSequence', ALICE, ''],
      ['in the scope before the pattern', 'GetSequence', ALICE, 'play'],
      ['writes with a token for reading', 'Generate', READER, 'shared'],
      ['scopes that climb', 'GetSequence', ALICE, '../play-1'],
      ['a pattern for a scope', 'GetSequence', ALICE, '*'],
      ['a pattern in another pattern’s place', 'GetSequence', READER, 'share*'],
      ['look-alike letters', 'GetSequence', ALICE, 'рlay-1'],
      ['a scope in capitals', 'GetSequence', READER, 'Shared'],
    ] as const)('%s: PERMISSION_DENIED', async (_attempt, method, token, scope) => {
      const message = method === 'Generate' ? element(scope) : { ...SEQUENCE, scope };
      const reply = await call(app().url, wire, method, message, bearer(token));
      const permission = method === 'Generate' ? 'write' : 'read';
      expect(reply).toMatchObject({
        code: 'PERMISSION_DENIED',
        info: { reason: 'PERMISSION_DENIED', metadata: { permission } },
      });
    });

    test('a scope that climbs out of the own pattern: INVALID_ARGUMENT', async () => {
      const reply = await call(
        app().url,
        wire,
        'GetSequence',
        { ...SEQUENCE, scope: 'play-1/../other' },
        bearer(ALICE),
      );
      expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'scope' }] });
    });

    test('what is there and what is not, in a foreign scope: the same answer', async () => {
      const there = { ...SEQUENCE, scope: `there-${wire}`, elementId: '1' };
      await call(app().url, wire, 'Generate', there, bearer(OPERATOR));
      const [one, other] = await Promise.all(
        [there, { ...there, scope: 'not-there' }].map((message) =>
          call(app().url, wire, 'GetElement', message, bearer(ALICE)),
        ),
      );
      expect([one?.code, one?.message, one?.info]).toEqual([other?.code, other?.message, other?.info]);
      expect(one?.code).toBe('PERMISSION_DENIED');
    });

    test('a message that is faulty as well: not told to who may not call', async () => {
      const message = { ...SEQUENCE, scope: 'other', elementId: '-1' };
      expect(await call(app().url, wire, 'Generate', message, bearer(ALICE))).toMatchObject({
        code: 'PERMISSION_DENIED',
        violations: [],
      });
    });

    test('another caller’s request_id: a request of its own', async () => {
      const request = { ...element('shared'), requestId: randomUUID() };
      const asAlice = await call(app().url, wire, 'Generate', request, bearer(ALICE));
      expect(await call(app().url, wire, 'Generate', request, bearer(ALICE))).toMatchObject({
        code: 'OK',
        answer: asAlice.answer,
      });
      expect(await call(app().url, wire, 'Generate', request, bearer(BOB))).toMatchObject({
        code: 'ALREADY_EXISTS',
      });
    });

    test('a page token of another scope: INVALID_ARGUMENT, or PERMISSION_DENIED', async () => {
      const scope = `play-pages-${wire}`;
      for (let i = 0; i < 3; i++) await call(app().url, wire, 'Generate', element(scope), bearer(ALICE));
      const page = await call(
        app().url,
        wire,
        'ListElements',
        { ...SEQUENCE, scope, pageSize: 1 },
        bearer(ALICE),
      );
      const pageToken = String(page.answer['nextPageToken']);
      expect(pageToken).not.toBe('');
      const over = { ...SEQUENCE, pageSize: 1, pageToken };
      expect(
        await call(app().url, wire, 'ListElements', { ...over, scope: 'shared' }, bearer(ALICE)),
      ).toMatchObject({
        code: 'INVALID_ARGUMENT',
        violations: [{ field: 'page_token' }],
      });
      expect(await call(app().url, wire, 'ListElements', { ...over, scope }, bearer(READER))).toMatchObject({
        code: 'PERMISSION_DENIED',
      });
    });

    test('__proto__, SQL and terminal escapes in what is written: kept as text', async () => {
      const content = JSON.parse(
        '{"__proto__":{"admin":true},"constructor":"x","sql":"\'); DROP TABLE element;--"}',
      );
      const comment = "\u001b[2J\u001b]0;owned\u0007'; DROP TABLE change; --";
      const request = { ...element(), comment, content };
      expect(await call(app().url, wire, 'Generate', request, bearer(ALICE))).toMatchObject({ code: 'OK' });
      const { comment: _comment, content: _content, ...key } = request;
      const { answer } = await call(app().url, wire, 'GetElement', key, bearer(ALICE));
      const read = answer['element'] as { comment: string; content: object };
      expect(read.comment).toBe(comment);
      expect(JSON.stringify(read.content)).toContain('"__proto__":{"admin":true}');
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    });

    test('the caller stands in the log and in the history, and the token nowhere', async () => {
      const request = { ...element(), comment: randomUUID() };
      lines.length = 0;
      const correlation = `\u0041-${randomUUID()}`;
      await call(app().url, wire, 'Generate', request, { ...bearer(ALICE), 'x-request-id': correlation });
      await call(app().url, wire, 'Generate', request, bearer('wrong'));
      const rpcs = lines.filter(({ msg }) => msg === 'rpc');
      expect(rpcs).toMatchObject([
        { caller: 'alice', code: 'OK', correlation_id: correlation },
        { code: 'UNAUTHENTICATED' },
      ]);
      expect(rpcs[1]).not.toHaveProperty('caller');
      expect(JSON.stringify(lines)).not.toContain(ALICE);
      const database = await openSqlite(app().file);
      const rows = await database.all(`SELECT caller FROM change WHERE comment = '${request.comment}'`);
      expect(rows).toEqual([{ caller: 'alice' }]);
    });

    test('ADMIN_TOKEN: every method, every scope', async () => {
      expect(await call(app().url, wire, 'Generate', element('any'), bearer(ADMIN))).toMatchObject({
        code: 'OK',
      });
    });
  });

  test.each([
    ['GetSyncStatus', {}, OPERATOR, 200],
    ['GetSyncStatus', {}, ALICE, 403],
    ['ListParked', {}, OPERATOR, 200],
    ['ListParked', {}, READER, 403],
    ['RetryParked', { all: true }, OPERATOR, 200],
    ['RetryParked', { all: true }, TENANT, 403],
    // Without a target there is nothing to resync; who may not, does not learn so much.
    ['Resync', {}, OPERATOR, 400],
    ['Resync', {}, TENANT, 403],
    ['Resync', { scope: 'play-1' }, TENANT, 400],
    ['Resync', { scope: 'other' }, TENANT, 403],
    ['WaitForSync', { ...SEQUENCE, revision: '0' }, ALICE, 400],
    ['WaitForSync', { ...SEQUENCE, revision: '0' }, READER, 403],
  ])('SyncService: %s of %j', async (method, message, token, status) => {
    const answer = await fetch(`${app().url}/fountain.sequence.v1.SyncService/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(token) },
      body: JSON.stringify(message),
    });
    expect(answer.status).toBe(status);
  });

  describe.each(STREAMS)('%s, streaming', (wire) => {
    const transport = () => TRANSPORTS[wire](app().url);

    test.each(NOT_LET_IN)('%s: UNAUTHENTICATED', async (_attempt, headers) => {
      const reply = await reflect(transport(), headers);
      expect(reply).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'UNAUTHENTICATED', found: 0 });
      for (const secret of [headers['authorization'] || 'none', ALICE, 'alice'])
        expect(reply.message).not.toContain(secret);
    });

    test('who may read: let in, and named in the log', async () => {
      lines.length = 0;
      expect(await reflect(transport(), bearer(READER))).toMatchObject({ code: 'OK', found: 1 });
      await reflect(transport(), bearer('wrong'));
      const rpcs = lines.filter(({ msg }) => msg === 'rpc');
      expect(rpcs).toMatchObject([{ caller: 'reader', code: 'OK' }, { code: 'UNAUTHENTICATED' }]);
      expect(rpcs[1]).not.toHaveProperty('caller');
      expect(JSON.stringify(lines)).not.toContain(READER);
    });

    test('__proto__, SQL and terminal escapes in what is asked for: unknown, and not in the log', async () => {
      lines.length = 0;
      const names = ['__proto__', 'constructor', '../', '*', "'); DROP TABLE element;--", '\u001b[2J\u0007'];
      const reply = await reflect(transport(), bearer(READER), names);
      expect(reply).toMatchObject({ code: 'OK', found: 0, unknown: names.length });
      const client = createClient(Health, transport());
      const abort = new AbortController();
      onTestFinished(() => abort.abort());
      for (const service of names)
        for await (const { status } of client.watch({ service }, { signal: abort.signal })) {
          expect(status).toBe(HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN);
          break;
        }
      for (const { msg, ...fields } of lines)
        for (const name of names.slice(4))
          expect([msg, ...Object.values(fields)].join(' ')).not.toContain(name);
    });

    test('health needs no credentials, and minds no wrong ones', async () => {
      const client = createClient(Health, transport());
      const abort = new AbortController();
      onTestFinished(() => abort.abort());
      for (const headers of [{}, bearer('wrong')]) {
        expect(await client.check({}, { headers })).toMatchObject({ status: 1 });
        for await (const { status } of client.watch({}, { headers, signal: abort.signal })) {
          expect(status).toBe(1);
          break;
        }
      }
    });
  });

  test('terminal escapes in a path and in an id of the caller’s: not in the log', async () => {
    lines.length = 0;
    const headers = { ...bearer(ALICE), 'x-request-id': 'a b' };
    for (const wire of WIRES) await call(app().url, wire, 'Generate', element(), headers);
    for (const wire of STREAMS) await reflect(TRANSPORTS[wire](app().url), headers);
    const ids = lines
      .filter(({ msg, method }) => msg === 'rpc' && !String(method).endsWith('Watch'))
      .map((line) => line['correlation_id']);
    expect(ids).toEqual(Array(WIRES.length + STREAMS.length).fill(expect.stringMatching(/^[0-9a-f-]{36}$/)));
  });
});
