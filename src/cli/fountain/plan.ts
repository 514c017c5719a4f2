import type { JsonObject } from '@bufbuild/protobuf';
import type { PlacedBlock } from './arrange.ts';
import {
  blockContent,
  characterContent,
  characterOf,
  contentBytes,
  nextContent,
  type StoredElement,
  sameContent,
  scriptContent,
} from './content.ts';
import { type Held, type HeldScreenplay, SCRIPT_ID } from './held.ts';
import { assignLines } from './lines.ts';
import { match } from './match.ts';
import { type Block, type Screenplay, TYPE_NAMES, TYPE_OF_KIND, type TypeName } from './model.ts';
import { movedCount, type OrderStep, stepsTo } from './ordering.ts';

/** The next version of an element. */
export interface NextVersion {
  readonly id: number;
  /** The version that it replaces. */
  readonly replaces: number;
  readonly content: JsonObject;
}

/** What makes one sequence hold what the file says. */
export interface SequencePlan {
  readonly type: TypeName;
  readonly orderRevision: bigint;
  /** The last one first, so that few close up. */
  readonly removals: readonly number[];
  readonly steps: readonly OrderStep[];
  /** The contents of new elements. */
  readonly fresh: ReadonlyMap<number, JsonObject>;
  readonly versions: readonly NextVersion[];
  /** How many elements change their place among the others. */
  readonly moved: number;
  /** How many elements there will be. */
  readonly size: number;
}

/** Around the content, an item of a batch takes less than this. */
const ITEM_BYTES = 200;

/** What makes the scope hold exactly the screenplay, a plan for each sequence. */
export function planImport(screenplay: Screenplay, held: Held, stored: HeldScreenplay): SequencePlan[] {
  const targets = targetsOf(screenplay, held, [...stored.blocks, ...stored.astray]);
  return TYPE_NAMES.map((type) => {
    const { elements, orderRevision } = held[type];
    const target = targets[type];
    const staying = new Set(target.map(({ id }) => id));
    const kept = elements.filter(({ id }) => staying.has(id)).map(({ id }) => id);
    const removals = elements.filter(({ id }) => !staying.has(id)).map(({ id }) => id);
    const fresh = new Map(
      target.flatMap(({ id, held, content }) => (held === undefined ? [[id, content]] : [])),
    );
    const order = target.map(({ id }) => id);
    const steps = stepsTo(kept, order, (id) => {
      const content = fresh.get(id);
      return content && contentBytes(content) + ITEM_BYTES;
    });
    return {
      type,
      orderRevision,
      removals: removals.reverse(),
      steps,
      fresh,
      versions: target.flatMap(({ id, held, content }) =>
        held === undefined || sameContent(type, held.content, content)
          ? []
          : [{ id, replaces: held.version, content: nextContent(type, held.content, content) }],
      ),
      moved: movedCount(kept, order),
      size: target.length,
    };
  });
}

/** An element as it is to be; `held` where it is there already. */
interface Target {
  readonly id: number;
  readonly held: StoredElement | undefined;
  readonly content: JsonObject;
}

function targetsOf(
  screenplay: Screenplay,
  held: Held,
  old: readonly PlacedBlock[],
): Record<TypeName, readonly Target[]> {
  const { blocks, script } = screenplay;
  const pairing = match(old, blocks);
  const newId = newIds(held);
  const matched = [...blocks.keys()].map((at) => old[pairing.oldOf(at) ?? -1]);
  const ids = blocks.map(({ body }, at) => matched[at]?.element.id ?? newId(TYPE_OF_KIND[body.kind]));
  const places = placesOf(blocks, ids, matched);
  const targets = blocks.map((block, at) => ({
    type: TYPE_OF_KIND[block.body.kind],
    id: ids[at]!,
    held: matched[at]?.element,
    content: blockContent({ body: block.body, ...places[at]! }),
  }));
  const ofType = (type: TypeName) => targets.filter((target) => target.type === type);
  return {
    script: [
      {
        id: SCRIPT_ID,
        held: held.script.elements.find(({ id }) => id === SCRIPT_ID),
        content: scriptContent(script),
      },
    ],
    section: ofType('section'),
    character: characterTargets(blocks, held.character.elements, () => newId('character')),
    action: ofType('action'),
    spokenWord: ofType('spokenWord'),
  };
}

/** Everyone who speaks, once, in the order of their first words. */
function characterTargets(
  blocks: readonly Block[],
  held: readonly StoredElement[],
  newId: () => number,
): Target[] {
  const names = new Set(blocks.flatMap(({ body }) => body.character ?? []));
  const known = new Map(held.toReversed().map((element) => [characterOf(element.content), element]));
  return [...names].map((name) => {
    const element = known.get(name);
    return { id: element?.id ?? newId(), held: element, content: characterContent(name) };
  });
}

/** Ids behind the highest that is there: of a first import, 1, 2, 3 in the order of the file. */
function newIds(held: Held): (type: TypeName) => number {
  const next = new Map(
    TYPE_NAMES.map((type) => [type, held[type].elements.reduce((most, { id }) => Math.max(most, id), 0) + 1]),
  );
  return (type) => {
    const id = next.get(type)!;
    next.set(type, id + 1);
    return id;
  };
}

function placesOf(
  blocks: readonly Block[],
  ids: readonly number[],
  matched: readonly (PlacedBlock | undefined)[],
): { scene: number; line: number }[] {
  const places: { scene: number; line: number }[] = [];
  for (let start = 0; start < blocks.length; ) {
    const heads = TYPE_OF_KIND[blocks[start]!.body.kind] === 'section';
    const scene = heads ? ids[start]! : 0;
    const headLine = heads ? blocks[start]!.line : 0;
    if (heads) places.push({ scene, line: 0 });
    const first = start + (heads ? 1 : 0);
    let end = first;
    while (end < blocks.length && TYPE_OF_KIND[blocks[end]!.body.kind] !== 'section') end++;
    const lines = assignLines(
      blocks.slice(first, end).map(({ line }, at) => {
        const before = matched[first + at];
        return { inFile: line - headLine, held: before?.scene === scene ? before.line : undefined };
      }),
    );
    places.push(...lines.map((line) => ({ scene, line })));
    start = end;
  }
  return places;
}
