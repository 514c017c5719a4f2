import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

type Text = string | Uint8Array;

/** A google.protobuf.Value by hand: what no JSON and no client library would produce. */
export const valueBytes = {
  number: (value: number) => new BinaryWriter().tag(2, WireType.Bit64).double(value).finish(),
  string: (text: Text) => new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(utf8(text)).finish(),
  struct: (struct: Uint8Array) => new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(struct).finish(),
  list: (...values: Uint8Array[]) => {
    const list = new BinaryWriter();
    for (const value of values) list.tag(1, WireType.LengthDelimited).bytes(value);
    return new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(list.finish()).finish();
  },
  /** A value of no kind at all, which the well-known type forbids. */
  nothing: () => new Uint8Array(),
};

/** A google.protobuf.Struct by hand. */
export function structBytes(...entries: [key: Text, value: Uint8Array][]): Uint8Array {
  const struct = new BinaryWriter();
  for (const [key, value] of entries) {
    const entry = new BinaryWriter();
    entry.tag(1, WireType.LengthDelimited).bytes(utf8(key));
    entry.tag(2, WireType.LengthDelimited).bytes(value);
    struct.tag(1, WireType.LengthDelimited).bytes(entry.finish());
  }
  return struct.finish();
}

/** A GenerateRequest by hand: element 9 of scope `play`, with this content or comment. */
export function generateBytes(fields: { content?: Uint8Array; comment?: Text; scope?: Text }): Uint8Array {
  const message = new BinaryWriter();
  message.tag(1, WireType.LengthDelimited).bytes(utf8(fields.scope ?? 'play'));
  message.tag(2, WireType.Varint).int32(1);
  message.tag(3, WireType.Varint).int64(9);
  if (fields.comment !== undefined) message.tag(4, WireType.LengthDelimited).bytes(utf8(fields.comment));
  if (fields.content !== undefined) message.tag(5, WireType.LengthDelimited).bytes(fields.content);
  return message.finish();
}

function utf8(text: Text): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text;
}
