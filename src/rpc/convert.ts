import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import {
  type Element,
  ElementSchema,
  ElementType as ProtoElementType,
  type ShiftedRange as ProtoShiftedRange,
  type ReorderResponse_ReorderedElement,
  ShiftedRangeSchema,
  type Version,
  VersionSchema,
} from '../../gen/fountain/sequence/v1/sequence_pb.js';
import type { ElementAnswer, ElementType, SequenceKey, ShiftedRange, Target } from '../domain/model.ts';
import type { ElementRead, VersionRead } from '../domain/reader.ts';
import type { MovedElements } from '../domain/writes.ts';
import { canonicalContent } from './content.ts';

const ELEMENT_TYPES: Readonly<Record<Exclude<ProtoElementType, 0>, ElementType>> = {
  [ProtoElementType.SCRIPT]: 'script',
  [ProtoElementType.SECTION]: 'section',
  [ProtoElementType.CHARACTER]: 'character',
  [ProtoElementType.ACTION]: 'action',
  [ProtoElementType.SPOKEN_WORD]: 'spokenWord',
};
const PROTO_ELEMENT_TYPES = Object.fromEntries(
  Object.entries(ELEMENT_TYPES).map(([proto, elementType]) => [elementType, Number(proto)]),
) as Readonly<Record<ElementType, ProtoElementType>>;

/** The sequence that a validated request names. */
export function toSequenceKey(request: { scope: string; elementType: ProtoElementType }): SequenceKey {
  return {
    scope: toScope(request.scope),
    elementType: toElementType(request.elementType),
  };
}

/** The scope that a request means. */
export function toScope(scope: string): string {
  return scope === '' ? 'default' : scope;
}

/** A validated element type. */
export function toElementType(elementType: ProtoElementType): ElementType {
  return ELEMENT_TYPES[elementType as Exclude<ProtoElementType, 0>];
}

/** The content of a validated request as canonical JSON, or null. */
export function toContent(content: JsonObject | undefined): string | null {
  return content === undefined ? null : canonicalContent(content);
}

/** A validated request id in lower case; undefined where there is none. */
export function toRequestId(requestId: string): string | undefined {
  return requestId === '' ? undefined : requestId.toLowerCase();
}

/** A validated revision; undefined where it is not set. */
export function toRevision(revision: bigint | undefined): number | undefined {
  return revision === undefined ? undefined : Number(revision);
}

type ProtoTarget =
  | { case: 'before' | 'after'; value: bigint }
  | { case: 'first' | 'last'; value: boolean }
  | { case: 'position'; value: number }
  | { case: undefined; value?: undefined };

/** A validated target; undefined where it is not set. */
export function toTarget(target: ProtoTarget): Target | undefined {
  switch (target.case) {
    case undefined:
      return undefined;
    case 'before':
    case 'after':
      return { at: target.case, elementId: Number(target.value) };
    case 'first':
    case 'last':
      return { at: target.case };
    case 'position':
      return { at: 'position', position: target.value };
  }
}

/** An element as answers to writes carry it: without content. */
export function fromElementAnswer(sequence: SequenceKey, answer: ElementAnswer): Element {
  return create(ElementSchema, {
    scope: sequence.scope,
    elementType: PROTO_ELEMENT_TYPES[sequence.elementType],
    elementId: BigInt(answer.elementId),
    sequenceNumber: answer.sequenceNumber,
    versionNumber: answer.versionNumber,
    comment: answer.comment,
    createTime: fromMicroseconds(answer.createTime),
    updateTime: fromMicroseconds(answer.updateTime),
  });
}

/** An element as reads return it. */
export function fromElementRead(sequence: SequenceKey, read: ElementRead): Element {
  const element = fromElementAnswer(sequence, read);
  if (read.content !== null) element.content = JSON.parse(read.content) as JsonObject;
  return element;
}

/** A version as reads return it. */
export function fromVersionRead(read: VersionRead): Version {
  const version = create(VersionSchema, {
    versionNumber: read.versionNumber,
    sequenceNumber: read.sequenceNumber,
    comment: read.comment,
    createTime: fromMicroseconds(read.createTime),
  });
  if (read.content !== null) version.content = JSON.parse(read.content) as JsonObject;
  return version;
}

/** The counters of a sequence as messages carry them. */
export function fromRevisions(from: { revision: number; orderRevision: number }): {
  revision: bigint;
  orderRevision: bigint;
} {
  return { revision: BigInt(from.revision), orderRevision: BigInt(from.orderRevision) };
}

/** Elements that got another number, in their order. */
export function fromMovedElements({
  elementIds,
  oldNumbers,
  newNumbers,
}: MovedElements): ReorderResponse_ReorderedElement[] {
  // As `create` would make them: for thousands that takes three times as long.
  return elementIds.map((elementId, index) => ({
    $typeName: 'fountain.sequence.v1.ReorderResponse.ReorderedElement',
    elementId: BigInt(elementId),
    oldSequenceNumber: oldNumbers[index]!,
    newSequenceNumber: newNumbers[index]!,
  }));
}

/** The shifted range as an optional field. */
export function fromShiftedRange(range: ShiftedRange | null): { shifted?: ProtoShiftedRange } {
  return range === null ? {} : { shifted: create(ShiftedRangeSchema, range) };
}

function fromMicroseconds(time: number): Timestamp {
  const seconds = Math.floor(time / 1e6);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (time - seconds * 1e6) * 1000 });
}
