import { randomBytes } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { DatabaseDump } from '../support/dump.ts';
import { sharedApp } from '../support/shared-app.ts';
import { generateBytes, structBytes, valueBytes } from '../support/struct-bytes.ts';
import {
  call,
  callBytes,
  encode,
  exchange,
  frame,
  headersOf,
  METHODS,
  pathOf,
  type Reply,
  WIRES,
  type Wire,
} from '../support/wire.ts';
import { AT, nested } from './bad-messages.ts';

const app = sharedApp();
const GENERATE = { ...AT, elementId: '9' };
const BINARY = WIRES.filter((wire) => wire !== 'connect-json');
const SURROGATE = Buffer.from([0xed, 0xa0, 0x80]);

const BOMB = Buffer.alloc(16 * 1024 * 1024, 0x20);
const BOMBS = { gzip: gzipSync(BOMB), br: brotliCompressSync(BOMB) };

/** Makes a call, and proves that it wrote nothing. */
async function refused(request: () => Promise<Reply>): Promise<Reply> {
  const database = await DatabaseDump.open(app().file);
  const before = await database.everything();
  const reply = await request();
  expect(reply.code).not.toBe('OK');
  expect(await database.everything()).toEqual(before);
  return reply;
}

const INVALID = { code: 'INVALID_ARGUMENT' };
const INVALID_CONTENT = { ...INVALID, info: { reason: 'INVALID_FIELD' }, violations: [{ field: 'content' }] };

describe.each(BINARY)('%s', (wire) => {
  const generate = (fields: Parameters<typeof generateBytes>[0]) =>
    refused(() => callBytes(app().url, wire, 'Generate', generateBytes(fields)));

  test.each([
    ['NaN', valueBytes.number(Number.NaN)],
    ['Infinity', valueBytes.number(Number.POSITIVE_INFINITY)],
    ['-Infinity in a list', valueBytes.list(valueBytes.number(Number.NEGATIVE_INFINITY))],
    [
      'NaN deep inside',
      valueBytes.struct(structBytes(['b', valueBytes.list(valueBytes.number(Number.NaN))])),
    ],
    ['NUL', valueBytes.string('a\0')],
  ])('content with %s', async (_, value) => {
    expect(await generate({ content: structBytes(['a', value]) })).toMatchObject(INVALID_CONTENT);
  });

  test.each([
    ['a value', { content: structBytes(['a', valueBytes.string(SURROGATE)]) }],
    ['a key', { content: structBytes([SURROGATE, valueBytes.number(1)]) }],
    ['a comment', { comment: SURROGATE }],
    ['a scope', { scope: SURROGATE }],
    ['a comment, as a byte that is no UTF-8', { comment: Buffer.from([0xff]) }],
  ])('an unpaired surrogate in %s', async (_, fields) => {
    expect(await generate(fields)).toMatchObject(INVALID);
  });

  test.each([33, 34, 99, 1_000, 50_000])('content nested %i levels deep', async (depth) => {
    let content = structBytes(['a', valueBytes.number(1)]);
    for (let level = 1; level < Math.min(depth, 1_500); level++)
      content = structBytes(['a', valueBytes.struct(content)]);
    if (depth > 1_500) content = Buffer.alloc(depth, 0x0b); // groups, one in another
    expect(await generate({ content })).toMatchObject(INVALID);
  });

  test.each(METHODS.map((method) => [method]))('truncated and random bytes, %s', async (method) => {
    const whole = Buffer.from(encode(wire, method, AT));
    const bad = [
      whole.subarray(0, -1),
      Buffer.concat([whole, Buffer.from([0x80])]),
      Buffer.concat([Buffer.from([0x07]), randomBytes(40)]),
      Buffer.alloc(20, 0xff),
    ];
    for (const bytes of bad)
      expect(await refused(() => callBytes(app().url, wire, method, bytes))).toMatchObject(INVALID);
  });
});

describe('connect-json', () => {
  const json = (text: string | Uint8Array, method = 'Generate') =>
    refused(() => callBytes(app().url, 'connect-json', method, Buffer.from(text)));
  const withField = (field: string) => `{"scope":"play","elementType":1,"elementId":"9",${field}}`;

  test.each([
    ['1e400', '1e400'],
    ['-1e400 in a list', '[-1e400]'],
    ['an unpaired surrogate', '"\\ud800"'],
    ['the other half of one', '{"b":"\\udc00x"}'],
    ['an unpaired surrogate in a key', '{"\\ud800":1}'],
    ['NUL in a key', '{"\\u0000":1}'],
    ['33 levels', JSON.stringify(nested(32))],
  ])('content with %s', async (_, value) => {
    expect(await json(withField(`"content":{"a":${value}}`))).toMatchObject(INVALID_CONTENT);
  });

  test.each([
    ['1,000 levels', withField(`"content":{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`)],
    ['100,000 levels', withField(`"content":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['content that is a list', withField('"content":[1]')],
    ['an unknown field', withField('"extra":1')],
    ['an unknown enum name', '{"elementType":"ELEMENT_TYPE_SONG","elementId":"9"}'],
    ['an id of 1e400', '{"elementType":1,"elementId":1e400}'],
    ['an id beyond 64 bits', '{"elementType":1,"elementId":"9223372036854775808"}'],
    ['an id with a fraction', '{"elementType":1,"elementId":1.5}'],
    ['an id that is a word', '{"elementType":1,"elementId":"seven"}'],
    ['two targets', withField('"first":true,"last":true')],
    ['a position beyond 32 bits', withField('"position":2147483648')],
    ['NaN', withField('"content":{"a":NaN}')],
    ['half of it', withField('"comment":"x"').slice(0, -5)],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ])('%s', async (_, body) => {
    expect(await json(body)).toMatchObject({ ...INVALID, status: 400 });
  });

  test.each([
    ['comment', withField('"comment":"\\ud800"')],
    ['scope', '{"scope":"\\ud800","elementType":1,"elementId":"9"}'],
    ['request_id', withField('"requestId":"\\udc00"')],
  ])('an unpaired surrogate in %s', async (_, text) => {
    expect(await json(text)).toMatchObject(INVALID);
  });

  // 2^53 + 1 as a JSON number is 2^53 before anybody of ours sees it; it is out of range all the same.
  test('an id of 2^53 + 1 as a number', async () => {
    expect(await json('{"elementType":1,"elementId":9007199254740993}')).toMatchObject(INVALID);
  });
});

describe.each(WIRES)('%s: too large', (wire: Wire) => {
  const large = () => Buffer.from(encode(wire, 'Generate', { ...GENERATE, comment: ' '.repeat(4_194_304) }));
  const TOO_LARGE = { code: 'RESOURCE_EXHAUSTED' };
  const send = (body: Uint8Array, headers: Record<string, string> = {}) =>
    refused(() =>
      exchange(app().url, wire, 'Generate', {
        path: pathOf('Generate'),
        headers: { ...headersOf(wire), ...headers },
        body,
      }),
    );
  const framed = wire === 'grpc' || wire === 'grpc-web';

  test('a body over 4 MiB', async () => {
    expect(await send(framed ? frame(large()) : large())).toMatchObject(TOO_LARGE);
  });

  test.each(Object.entries(BOMBS))('a %s bomb', async (encoding, bomb) => {
    expect(bomb.byteLength).toBeLessThan(100_000);
    const header = framed ? 'grpc-encoding' : 'content-encoding';
    expect(await send(framed ? frame(bomb, 1) : bomb, { [header]: encoding })).toMatchObject(TOO_LARGE);
  });

  test('bytes that are said to be gzip and are not', async () => {
    const header = framed ? 'grpc-encoding' : 'content-encoding';
    const body = Buffer.from('no gzip at all');
    expect(await send(framed ? frame(body, 1) : body, { [header]: 'gzip' })).toMatchObject(INVALID);
  });

  test('an unknown compression', async () => {
    const header = framed ? 'grpc-encoding' : 'content-encoding';
    const body = Buffer.from('?');
    expect(await send(framed ? frame(body, 1) : body, { [header]: 'zip' })).toMatchObject({
      code: 'UNIMPLEMENTED',
    });
  });

  test('exactly 4 MiB is read', async () => {
    // An unknown field in binary, white space in JSON, fills the message.
    const small = encode(wire, 'GetSequence', { ...AT, scope: 'x' });
    const fill = 4_194_304 - small.byteLength;
    const whole =
      wire === 'connect-json'
        ? Buffer.concat([small, Buffer.alloc(fill, 0x20)])
        : Buffer.concat([small, Buffer.from([0x7a, ...varint(fill - 5)]), Buffer.alloc(fill - 5)]);
    expect(whole.byteLength).toBe(4_194_304);
    expect((await callBytes(app().url, wire, 'GetSequence', whole)).code).toBe('OK');
  });

  test('frames that are cut, or too many', async () => {
    if (!framed) return;
    const message = encode(wire, 'Generate', GENERATE);
    expect(await send(frame(message).subarray(0, -1))).toMatchObject(INVALID);
    expect(await send(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))).toMatchObject(TOO_LARGE);
    const twice = await send(Buffer.concat([frame(message), frame(message)]));
    expect(['UNIMPLEMENTED', 'INVALID_ARGUMENT']).toContain(twice.code);
    const none = await send(Buffer.alloc(0));
    expect(['UNIMPLEMENTED', 'INVALID_ARGUMENT']).toContain(none.code);
  });
});

function varint(value: number): number[] {
  return [0, 7, 14, 21].map((shift) => ((value >> shift) & 0x7f) | (shift < 21 ? 0x80 : 0));
}

test('after all that it serves', async () => {
  expect((await call(app().url, 'grpc', 'GetSequence', AT)).answer).toEqual({ nextSequenceNumber: 1 });
});
