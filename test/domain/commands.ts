import fc from 'fast-check';
import type { SequenceKey, Target } from '../../src/domain/model.ts';
import type { Write } from '../../src/domain/writes.ts';

/** What a command may look at when it is its turn: a caller knows what it has read, or been answered. */
export interface Known {
  /** Elements that are there, in order. */
  readonly elementIds: readonly number[];
  readonly revision: number;
  readonly orderRevision: number;
  /** Writes submitted before, to be repeated. */
  readonly earlier: readonly Write[];
}

/** A write that is made up when it is its turn. */
export interface Command {
  /** Which of the sequences. */
  readonly sequence: number;
  toWrite(sequence: SequenceKey, known: Known): Write;
}

// Few elements, so that they meet; some whose ids do not fit 32 bits.
const elementId = fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER);
const comment = fc.constantFrom('', 'draft', 'a “quoted” line\n\u{1F3AD}', "it's");
const content = fc.constantFrom(null, '{}', '{"text":"To be"}', '{"a":[1,{"b":null}],"c":"é"}');
const requestIds = [
  '7d1f0c1e-0000-4000-8000-000000000001',
  '7d1f0c1e-0000-4000-8000-000000000002',
  '7d1f0c1e-0000-4000-8000-000000000003',
];
const target: fc.Arbitrary<Target> = fc.oneof(
  fc.record({ at: fc.constantFrom('before' as const, 'after' as const), elementId }),
  fc.record({ at: fc.constantFrom('first' as const, 'last' as const) }),
  fc.record({ at: fc.constant('position' as const), position: fc.integer({ min: -1, max: 9 }) }),
);

/** Now and then a value: `weight` to 2 against none. */
function now<T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
}

const head = fc.record({
  sequence: fc.constantFrom(0, 0, 0, 1, 2),
  comment,
  caller: fc.constantFrom('', '', '', 'ann'),
  requestId: now(1, fc.constantFrom(...requestIds)),
  // From the order revision on, where it is set: before it is stale, at it is right, far behind it is in the future.
  expected: now(1, fc.constantFrom(-2, -1, 0, 0, 0, 1, 50)),
});

/** Half of the references are to an element that is there, the others to any. */
function there(id: number, pick: number, known: Known): number {
  const { elementIds } = known;
  return pick % 2 === 0 && elementIds.length > 0 ? elementIds[(pick / 2) % elementIds.length]! : id;
}

const pick = fc.nat(63);

const body = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('generate' as const),
      elementId,
      content,
      target: now(3, target),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch_generate' as const),
      items: fc.uniqueArray(fc.record({ elementId, comment, content }), {
        minLength: 1,
        maxLength: 5,
        selector: (item) => item.elementId,
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reorder' as const),
      ids: fc.uniqueArray(elementId, { minLength: 1, maxLength: 6 }),
      pick,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('move' as const), elementId, target, pick }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('create_version' as const),
      elementId,
      content,
      pick,
      expectedVersion: now(1, fc.integer({ min: 1, max: 3 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), elementId, pick }) },
);

type Head = typeof head extends fc.Arbitrary<infer T> ? T : never;
type Body = typeof body extends fc.Arbitrary<infer T> ? T : never;

function toWrite(
  sequence: SequenceKey,
  known: Known,
  { comment, caller, requestId, expected }: Head,
  body: Body,
): Write {
  const common = { sequence, comment, caller, requestId };
  const expectedRevision = expected === undefined ? undefined : Math.max(0, known.orderRevision + expected);
  switch (body.kind) {
    case 'generate':
      return { ...common, ...body, target: aside(body.target, body.elementId), expectedRevision };
    case 'batch_generate':
      return { ...common, kind: body.kind, comment: '', items: body.items, expectedRevision };
    case 'reorder': {
      const { elementIds } = known;
      const present = body.ids.filter((id) => elementIds.includes(id));
      const newOrder = body.pick % 4 > 0 && present.length > 0 ? present : body.ids;
      return { ...common, kind: body.kind, newOrder, expectedRevision };
    }
    case 'move': {
      const elementId = there(body.elementId, body.pick, known);
      const target = aside(body.target, elementId) ?? { at: 'first' };
      return { ...common, kind: body.kind, elementId, target, expectedRevision };
    }
    case 'create_version': {
      const { kind, content, expectedVersion } = body;
      return {
        ...common,
        kind,
        content,
        expectedVersion,
        elementId: there(body.elementId, body.pick, known),
      };
    }
    case 'remove': {
      const elementId = there(body.elementId, body.pick, known);
      return { ...common, kind: body.kind, elementId, expectedRevision };
    }
  }
}

/** Validation has refused a target that is the element itself. */
function aside(target: Target | undefined, elementId: number): Target | undefined {
  return target !== undefined && 'elementId' in target && target.elementId === elementId
    ? { at: 'first' }
    : target;
}

/** A first write that fills a sequence, so that the others find something. */
export const fill: Command = {
  sequence: 0,
  toWrite: (sequence) => ({
    kind: 'batch_generate',
    sequence,
    caller: '',
    comment: '',
    items: [3, 1, 2 ** 32, 2, 5, 4].map((elementId) => ({ elementId, comment: 'first', content: null })),
  }),
};

/** A new write, or now and then one that was submitted before, unchanged. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 7,
    arbitrary: fc.tuple(head, body).map(([head, body]) => ({
      sequence: head.sequence,
      toWrite: (sequence: SequenceKey, known: Known) => toWrite(sequence, known, head, body),
      // For the report of a counterexample.
      [fc.toStringMethod]: () => JSON.stringify({ ...head, ...body }),
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), fc.nat(5)).map(([index, back]) => ({
      sequence: index,
      toWrite: (sequence: SequenceKey, known: Known) =>
        known.earlier.at(-1 - back) ?? {
          kind: 'generate' as const,
          sequence,
          caller: '',
          comment: '',
          elementId: 1,
          content: null,
          requestId: requestIds[0],
        },
      [fc.toStringMethod]: () => `repeat the one ${back} before the last`,
    })),
  },
);
