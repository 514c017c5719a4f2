import { describe, expect, test } from 'vitest';
import { DatabaseDump } from '../support/dump.ts';
import { rawExchange } from '../support/raw-socket.ts';
import { sharedApp } from '../support/shared-app.ts';
import { encode, exchange, frame, headersOf, overHttp2, pathOf, WIRES } from '../support/wire.ts';
import { AT } from './bad-messages.ts';

const app = sharedApp();
const GENERATE = { ...AT, elementId: '9' };

async function writesNothing<T>(action: () => Promise<T>): Promise<T> {
  const database = await DatabaseDump.open(app().file);
  const before = await database.everything();
  const result = await action();
  expect(await database.everything()).toEqual(before);
  return result;
}

describe.each(WIRES)('%s', (wire) => {
  const framed = wire === 'grpc' || wire === 'grpc-web';
  const message = Buffer.from(encode(wire, 'Generate', GENERATE));
  const good = {
    path: pathOf('Generate'),
    headers: headersOf(wire),
    body: framed ? frame(message) : message,
  };
  const send = (change: object) =>
    writesNothing(() => exchange(app().url, wire, 'Generate', { ...good, ...change }));

  test.each([
    '/fountain.sequence.v1.SequenceService/Sing',
    '/fountain.sequence.v1.SequenceService/generate',
    '/fountain.sequence.v1.SequenceService/',
    '/fountain.sequence.v1.SequenceService/Generate/',
    '/fountain.sequence.v2.SequenceService/Generate',
    '/__proto__',
    '/',
  ])('404 at %s', async (path) => {
    expect(await send({ path })).toMatchObject({ status: 404, code: '' });
  });

  test.each(['text/plain', 'application/grpc+thrift', 'application/jsonp', ''])(
    '415 for content type "%s"',
    async (type) => {
      const reply = await send({ headers: { ...good.headers, 'content-type': type } });
      expect(reply).toMatchObject({ status: 415, code: '' });
    },
  );

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('405 for %s of a write', async (verb) => {
    const body = verb === 'GET' ? undefined : good.body;
    expect(await send({ verb, body })).toMatchObject({ status: 405, code: '' });
  });

  const [header, malformed] = framed
    ? (['grpc-timeout', ['', '5', 'S', '-1S', '1.5S', '123456789S', '5s', '1e3m', '5 S']] as const)
    : (['connect-timeout-ms', ['-1', '1.5', '1e3', '5s', '12345678901', 'soon']] as const);

  test.each(malformed)(`a malformed ${header}: "%s"`, async (value) => {
    const reply = await send({ headers: { ...good.headers, [header]: value } });
    expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each(framed ? ['0m', '0S', '0H', '0n', '1n'] : ['0', '00'])(
    `a deadline that is past: ${header}: %s`,
    async (value) => {
      const reply = await send({ headers: { ...good.headers, [header]: value } });
      expect(reply).toMatchObject({
        code: 'DEADLINE_EXCEEDED',
        info: { reason: 'DEADLINE_EXCEEDED', domain: 'sequence.fountain' },
      });
    },
  );

  test.each(framed ? ['99999999H', '99999999S', '2147484S'] : ['9999999999', '2147483648'])(
    `an absurdly long ${header} is only long: %s`,
    async (value) => {
      const path = pathOf('GetSequence');
      const bytes = Buffer.from(encode(wire, 'GetSequence', AT));
      const request = {
        path,
        headers: { ...good.headers, [header]: value },
        body: framed ? frame(bytes) : bytes,
      };
      expect(await exchange(app().url, wire, 'GetSequence', request)).toMatchObject({ code: 'OK' });
    },
  );
});

const BODY = JSON.stringify(GENERATE);
const post = (head: string, version = '1.1') =>
  `POST ${pathOf('Generate')} HTTP/${version}\r\n${head}Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

test.each([
  ['no Host', post('')],
  ['no Host in HTTP/1.0', post('', '1.0')],
  ['an empty Host', post('Host: \r\n')],
  ['a Host with a space and a bracket', post('Host: a b[\r\n')],
  ['a Host with a port out of range', post('Host: x:99999\r\n')],
  ['a Host that is %', post('Host: %\r\n')],
  ['two Hosts', post('Host: a\r\nHost: b\r\n')],
])('HTTP/1.1 with %s: 400', async (_, bytes) => {
  expect(await writesNothing(() => rawExchange(app().port, bytes))).toMatch(/^HTTP\/1\.1 400 /);
});

const withAuthority = (authority: string) => ({
  path: pathOf('Generate'),
  headers: { ':authority': authority, ...headersOf('grpc') },
  body: frame(encode('grpc', 'Generate', GENERATE)),
});

test.each(['x:99999', '%', '['])('HTTP/2 with :authority "%s": 400', async (authority) => {
  const reply = await writesNothing(() => overHttp2(app().url, withAuthority(authority)));
  expect(reply).toMatchObject({ status: 400 });
});

test.each(['a b', 'a/b', 'a@b'])('HTTP/2 with :authority "%s": reset', async (authority) => {
  const reset = writesNothing(() => overHttp2(app().url, withAuthority(authority)));
  await expect(reset).rejects.toThrow('NGHTTP2_PROTOCOL_ERROR');
});

test('every HTTP-level refusal is counted', async () => {
  const page = await (await fetch(`${app().url}/metrics`)).text();
  for (const reason of [
    'http_404',
    'http_405',
    'http_415',
    'bad_authority',
    'malformed_request',
    'INVALID_ARGUMENT',
  ])
    expect(page).toMatch(new RegExp(`^sequence_requests_refused_total\\{reason="${reason}"\\} [1-9]`, 'm'));
});
