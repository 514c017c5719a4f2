import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalContent, isStorableText, MAX_CONTENT_BYTES } from '../../src/rpc/content.ts';
import { type Answer, grpcClient } from '../support/grpc-client.ts';
import { sharedApp } from '../support/shared-app.ts';
import { generateBytes, structBytes, valueBytes } from '../support/struct-bytes.ts';
import { call, callBytes, WIRES } from '../support/wire.ts';
import { contentOf, nested } from './bad-messages.ts';

const texts = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((text) => text.toWellFormed().replaceAll('\0', ''));
const { content: contents } = fc.letrec<{ content: JsonObject; value: JsonValue }>((tie) => ({
  content: fc
    .array(
      fc.tuple(fc.oneof(texts, fc.constantFrom('__proto__', '1', '10', 'ä', '\u{1f600}')), tie('value')),
      {
        maxLength: 5,
      },
    )
    .map(fromEntries),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, ''),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    texts,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('content'),
  ),
}));

describe('canonical JSON', () => {
  test('says the same as the content', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(JSON.parse(canonicalContent(content)!)).toEqual(JSON.parse(JSON.stringify(content)));
      }),
    );
  });

  test('is one for all orders of the keys', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(canonicalContent(reversed(content) as JsonObject)).toBe(canonicalContent(content));
      }),
    );
  });

  test('has its keys in the order of their UTF-16 code units, and no white space', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(canonicalContent(content)).toBe(rfc8785(content));
      }),
    );
    // Code units, not code points: an emoji stands before a private-use character.
    expect(canonicalContent({ '\ue000': 1, '\u{1f600}': 2, b: [1, { d: 1, c: 1 }], a: 0 })).toBe(
      '{"a":0,"b":[1,{"c":1,"d":1}],"\u{1f600}":2,"\ue000":1}',
    );
  });

  test('is itself in canonical form', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const json = canonicalContent(content)!;
        expect(canonicalContent(JSON.parse(json) as JsonObject)).toBe(json);
      }),
    );
  });

  test.each([
    [0, '0'],
    [-0, '0'],
    [1e21, '1e+21'],
    [0.1, '0.1'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [2 ** 53, '9007199254740992'],
  ])('writes the number %d as ECMAScript does', (number, text) => {
    expect(canonicalContent({ n: number })).toBe(`{"n":${text}}`);
  });

  test.each([
    ['NaN', { a: Number.NaN }],
    ['Infinity in a list', { a: [1, Number.POSITIVE_INFINITY] }],
    ['NUL in a key', { 'a\0': 1 }],
    ['half a surrogate pair in a key', { a: [{ '\ud83d': 1 }] }],
    ['half a surrogate pair', { a: { b: ['\ude00'] } }],
    ['33 levels', nested(33)],
  ])('there is none for content with %s', (_, content) => {
    expect(canonicalContent(content)).toBeNull();
  });

  test('counts the limit in bytes of the canonical form', () => {
    expect(canonicalContent(contentOf(MAX_CONTENT_BYTES))).toHaveLength(MAX_CONTENT_BYTES);
    expect(canonicalContent(contentOf(MAX_CONTENT_BYTES + 1))).toBeNull();
    expect(canonicalContent({ a: '€'.repeat(87_378) })).not.toBeNull();
    expect(canonicalContent({ a: '€'.repeat(87_378), b: 'xxx' })).toBeNull();
  });

  test('a text with a whole surrogate pair can be stored', () => {
    expect(isStorableText('\u{1f600}')).toBe(true);
    expect(isStorableText('')).toBe(true);
  });
});

describe.each(WIRES)('over %s', (wire) => {
  const app = sharedApp();
  const TARGET = { elementType: 1, elementId: '9', scope: 'play' };

  async function roundTrip(content: JsonObject): Promise<unknown> {
    await call(app().url, wire, 'Remove', TARGET);
    const generated = await call(app().url, wire, 'Generate', { ...TARGET, content });
    expect(generated.code, generated.message).toBe('OK');
    const read = await call(app().url, wire, 'GetElement', TARGET);
    return (read.answer['element'] as JsonObject)['content'];
  }

  test('what is written is read', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        expect(await roundTrip(content)).toEqual(JSON.parse(JSON.stringify(content)));
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  test('a key __proto__ is a key like any other', async () => {
    const content = JSON.parse(
      '{"__proto__":{"a":1},"b":[{"__proto__":"x"}],"constructor":null}',
    ) as JsonObject;
    const read = (await roundTrip(content)) as JsonObject;
    expect(Object.keys(read).sort()).toEqual(['__proto__', 'b', 'constructor']);
    expect(JSON.stringify(Object.getOwnPropertyDescriptor(read, '__proto__')?.value)).toBe('{"a":1}');
    expect(JSON.stringify(read['b'])).toBe('[{"__proto__":"x"}]');
  });

  test('32 levels are accepted, and a client of another make reads them', async () => {
    const content = nested(32);
    expect(await roundTrip(content)).toEqual(content);
    const { element } = await grpcClient(app().url).getElement({ ...TARGET });
    let depth = 0;
    for (let at: unknown = (element as Answer)['content']; typeof at === 'object' && at !== null; depth++)
      at = within(at);
    // Struct, fields, Value, Struct or ListValue, values, Value, …: three objects for a level, and the leaf.
    expect(depth).toBeGreaterThanOrEqual(32 * 3);
  });

  test('empty content is not no content', async () => {
    expect(await roundTrip({})).toEqual({});
  });

  test('a value of no kind is null', async () => {
    if (wire === 'connect-json') return;
    await call(app().url, wire, 'Remove', TARGET);
    const content = structBytes(['a', valueBytes.nothing()]);
    expect((await callBytes(app().url, wire, 'Generate', generateBytes({ content }))).code).toBe('OK');
    const { answer } = await call(app().url, wire, 'GetElement', TARGET);
    expect(answer['element']).toMatchObject({ content: { a: null } });
  });
});

/** The one thing in a decoded message of `nested`, whatever it is called. */
function within(value: object): unknown {
  if (Array.isArray(value)) return value[0];
  return Object.values(value).find((inner) => typeof inner === 'object' && inner !== null);
}

/** As Object.fromEntries, which makes `__proto__` a key of its own too. */
function fromEntries(entries: [string, JsonValue][]): JsonObject {
  return Object.fromEntries(entries);
}

function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return fromEntries(
    Object.entries(value)
      .map(([key, inner]): [string, JsonValue] => [key, reversed(inner)])
      .reverse(),
  );
}

/** RFC 8785 in so many words, as a second opinion. */
function rfc8785(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(rfc8785).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${rfc8785(value[key]!)}`).join()}}`;
}
