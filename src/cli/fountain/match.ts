import type { PlacedBlock } from './arrange.ts';
import { bodyKey } from './content.ts';
import { type Block, type Body, TYPE_OF_KIND } from './model.ts';
import { Pairing, pairAnywhere, pairInGaps, pairInOrder, pairRest, type Sides } from './pairing.ts';

/** Two blocks whose words are less alike than this are not versions of one while others are at hand. */
const ALIKE = 0.3;

/**
 * Finds out which stored block each block of a file is: sections first, by heading and what is below, then the blocks
 * within sections that are the same, then those that went elsewhere, at last those that say something else now.
 */
export function match(old: readonly PlacedBlock[], fresh: readonly Block[]): Pairing {
  const before = new Side(old.map(({ body }) => body));
  const after = new Side(fresh.map(({ body }) => body));
  before.groupBy((at) => {
    const { type, element, scene } = old[at]!;
    return type === 'section' ? element.id : scene;
  });
  let heading = 0;
  after.groupBy((at) => {
    if (isSection(fresh[at]!.body)) heading = at + 1;
    return heading;
  });

  const pairing = new Pairing();
  pairSections(pairing, before, after);
  const scenes: Sides[] = [{ old: before.members(0), fresh: after.members(0) }];
  for (const at of after.sections) {
    const section = pairing.oldOf(at);
    if (section !== undefined)
      scenes.push({ old: before.members(old[section]!.element.id), fresh: after.members(at + 1) });
  }
  for (const scene of scenes) {
    pairInOrder(pairing, scene, before.keys, after.keys);
    pairAnywhere(pairing, scene, before.keys, after.keys);
  }
  const all = { old: before.notSections, fresh: after.notSections };
  pairAnywhere(pairing, all, before.keys, after.keys);
  for (const scene of scenes) {
    pairInGaps(pairing, scene, (one, other) => {
      if (before.types[one] !== after.types[other]) return 0;
      const alike = shared(before.words(one), after.words(other));
      return alike < ALIKE ? 0 : alike;
    });
    pairRest(pairing, scene, before.types, after.types);
  }
  return pairing;
}

function pairSections(pairing: Pairing, before: Side, after: Side): void {
  const sections = { old: before.sections, fresh: after.sections };
  const whole = [before.wholes(), after.wholes()] as const;
  pairInOrder(pairing, sections, ...whole);
  pairAnywhere(pairing, sections, ...whole);
  pairInGaps(pairing, sections, (one, other) => {
    const heading = before.keys[one] === after.keys[other] ? 0.5 : 0;
    return heading + shared(before.below(one), after.below(other));
  });
  pairAnywhere(pairing, sections, before.keys, after.keys);
  pairRest(pairing, sections, before.types, after.types);
}

/** The blocks of one side, and what matching looks at. */
class Side {
  readonly keys: string[];
  readonly types: string[];
  readonly sections: number[];
  readonly notSections: number[];
  readonly #bodies: readonly Body[];
  readonly #words = new Map<number, readonly string[]>();
  #groups: Map<number, number[]> = new Map();
  #groupOf: (at: number) => number = () => 0;

  constructor(bodies: readonly Body[]) {
    this.#bodies = bodies;
    this.keys = bodies.map(bodyKey);
    this.types = bodies.map(({ kind }) => TYPE_OF_KIND[kind]);
    const indexes = [...bodies.keys()];
    this.sections = indexes.filter((at) => isSection(bodies[at]!));
    this.notSections = indexes.filter((at) => !isSection(bodies[at]!));
  }

  /** @param groupOf a number for the section that a block is or stands below; 0 before the first */
  groupBy(groupOf: (at: number) => number): void {
    const groups = [...this.#bodies.keys()].map(groupOf);
    this.#groupOf = (at) => groups[at]!;
    this.#groups = Map.groupBy(this.notSections, this.#groupOf);
  }

  members(group: number): readonly number[] {
    return this.#groups.get(group) ?? [];
  }

  below(section: number): readonly string[] {
    return this.members(this.#groupOf(section)).map((at) => this.keys[at]!);
  }

  /** For each section, its heading with all that is below. */
  wholes(): string[] {
    const wholes = [...this.keys];
    for (const section of this.sections)
      wholes[section] = [this.keys[section], ...this.below(section)].join('\n');
    return wholes;
  }

  words(at: number): readonly string[] {
    let words = this.#words.get(at);
    if (words === undefined) {
      const { character = '', text } = this.#bodies[at]!;
      words =
        `${character} ${text}`
          .toLowerCase()
          .match(/[\p{L}\p{N}]+/gu)
          ?.slice(0, 200) ?? [];
      this.#words.set(at, words);
    }
    return words;
  }
}

/** How much two lists have in common, from 0 to 1. */
function shared(one: readonly string[], other: readonly string[]): number {
  if (one.length === 0 || other.length === 0) return 0;
  const counts = new Map<string, number>();
  for (const item of one) counts.set(item, (counts.get(item) ?? 0) + 1);
  let common = 0;
  for (const item of other) {
    const left = counts.get(item) ?? 0;
    if (left > 0) common++;
    counts.set(item, left - 1);
  }
  return (2 * common) / (one.length + other.length);
}

function isSection({ kind }: Body): boolean {
  return TYPE_OF_KIND[kind] === 'section';
}
