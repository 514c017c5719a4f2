import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';
import fc from 'fast-check';

/** A message by its descriptor: mostly near what is valid, so that much of it is served, and sometimes wild. */
export function arbitraryMessage(desc: DescMessage): fc.Arbitrary<Message> {
  return arbitraryInit(desc).map((init) => create(desc, init as never));
}

function arbitraryInit(desc: DescMessage): fc.Arbitrary<object> {
  const members = desc.members.map((member): [string, fc.Arbitrary<unknown>] => {
    if (member.kind === 'field')
      return [
        member.localName,
        fc.option(arbitraryField(member), { nil: undefined, freq: member.proto.proto3Optional ? 2 : 20 }),
      ];
    const cases = member.fields.map((field) =>
      arbitraryField(field).map((value) => ({ case: field.localName, value })),
    );
    return [member.localName, fc.oneof(fc.constant({ case: undefined }), ...cases)];
  });
  return fc
    .record(Object.fromEntries(members))
    .map((init) => Object.fromEntries(Object.entries(init).filter(([, value]) => value !== undefined)));
}

function arbitraryField(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'scalar':
      return arbitraryScalar(field.scalar, field.name);
    case 'enum':
      return mostly(fc.constant(1), fc.integer({ min: -2, max: 8 }));
    case 'message':
      return field.message.typeName === 'google.protobuf.Struct'
        ? arbitraryContent
        : arbitraryInit(field.message);
    case 'list': {
      const item =
        field.listKind === 'message'
          ? arbitraryInit(field.message)
          : arbitraryScalar(ScalarType.INT64, field.name);
      return fc.array(item, { maxLength: 5 });
    }
    case 'map':
      throw new Error('no request has a map');
  }
}

const ids = mostly(
  fc.bigInt(1n, 8n),
  fc.oneof(fc.constantFrom(0n, -1n, 2n ** 53n - 1n, 2n ** 53n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
);
const numbers = mostly(
  fc.integer({ min: 1, max: 9 }),
  fc.oneof(fc.constantFrom(0, -1, 2 ** 31 - 1), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
);
const wildText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('\0', '__proto__', '%', '€'.repeat(2_000)),
);
const texts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  scope: fc.constantFrom('', 'a'),
  comment: fc.string({ maxLength: 20 }),
  // Few, so that they meet again.
  request_id: fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 0, max: 20 })
        .map((i) => `00000000-0000-4000-8000-${`${i}`.padStart(12, '0')}`),
    },
  ),
  page_token: fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json).toString('base64url')) },
  ),
};

function arbitraryScalar(scalar: ScalarType, name: string): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.INT64:
      return ids;
    case ScalarType.INT32:
      return numbers;
    case ScalarType.BOOL:
      return mostly(fc.constant(true), fc.boolean());
    case ScalarType.STRING:
      return mostly(texts[name] ?? wildText, wildText);
    default:
      throw new Error(`no request has a ${ScalarType[scalar]}`);
  }
}

const arbitraryContent = fc.dictionary(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('__proto__', 'constructor', 'toJSON', ''),
  ),
  mostly(fc.jsonValue({ maxDepth: 3 }), fc.oneof(fc.double(), fc.string({ unit: 'binary', maxLength: 8 }))),
  { maxKeys: 4 },
);

function mostly<T>(usual: fc.Arbitrary<T>, wild: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: wild });
}
