import { isDeepStrictEqual } from 'node:util';
import type { SequenceKey, Target } from '../../src/domain/model.ts';
import type { Write } from '../../src/domain/writes.ts';
import type { Result } from './harness.ts';

/** A version of an element in the model; the latest one's number is the place of its element. */
export interface ModelVersion {
  versionNumber: number;
  sequenceNumber: number | undefined;
  comment: string;
  content: string | null;
  createTime: number;
}

/** An element in the model: its place is its index in the list. */
export interface ModelElement {
  readonly elementId: number;
  readonly createTime: number;
  /** Oldest first. */
  readonly versions: ModelVersion[];
}

/** A change row in the model. */
export interface ModelChange {
  revision: number;
  changeTime: number;
  kind: string;
  comment: string;
  caller: string;
  requestId: string | null;
}

/** A sequence in the model. */
export class ModelSequence {
  elements: ModelElement[] = [];
  revision = 0;
  orderRevision = 0;
  lastChangeTime = 0;
  readonly changes: ModelChange[] = [];
  /** `element/version` → the range of revisions that the index has not seen. */
  readonly dirty = new Map<string, { since: number; wanted: number }>();
  readonly requests = new Map<string, { request: unknown; answer: unknown }>();

  numberOf(elementId: number): number {
    return this.elements.findIndex((element) => element.elementId === elementId) + 1;
  }
}

/** A rule that a write breaks. */
class Refused extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * What SequenceService promises, in the plainest form that there is: a list for each sequence, one write after
 * another. It shares nothing with the service but the types of writes.
 */
export class Model {
  readonly #sequences = new Map<string, ModelSequence>();
  readonly #now: () => number;
  readonly #maxRenumber: number;

  /** @param now the clock, microseconds since the epoch */
  constructor(now: () => number, maxRenumber: number) {
    this.#now = now;
    this.#maxRenumber = maxRenumber;
  }

  sequence({ scope, elementType }: SequenceKey): ModelSequence {
    const name = `${scope} ${elementType}`;
    const sequence = this.#sequences.get(name) ?? new ModelSequence();
    this.#sequences.set(name, sequence);
    return sequence;
  }

  apply(write: Write): Result {
    const sequence = this.sequence(write.sequence);
    const request = JSON.parse(JSON.stringify({ ...write, requestId: '', caller: '' }));
    const key = `${write.requestId} ${write.caller}`;
    const remembered = write.requestId === undefined ? undefined : sequence.requests.get(key);
    if (remembered)
      return isDeepStrictEqual(remembered.request, request)
        ? { answer: remembered.answer }
        : { error: 'REQUEST_ID_REUSED' };

    const before = sequence.revision;
    let answer: unknown;
    try {
      this.#expect(sequence, write);
      answer = this.#run(sequence, write);
    } catch (error) {
      if (error instanceof Refused) return { error: error.reason };
      throw error;
    }
    if (sequence.revision !== before || write.requestId !== undefined)
      sequence.changes.push({
        revision: sequence.revision,
        changeTime: sequence.revision === before ? this.#tick(sequence) : sequence.lastChangeTime,
        kind: write.kind,
        comment: write.comment,
        caller: write.caller,
        requestId: write.requestId ?? null,
      });
    if (write.requestId !== undefined) sequence.requests.set(key, { request, answer });
    return { answer };
  }

  #expect({ revision, orderRevision }: ModelSequence, write: Write): void {
    const expected = write.kind === 'create_version' ? undefined : write.expectedRevision;
    if (expected !== undefined && (orderRevision > expected || expected > revision))
      throw new Refused('REVISION_MISMATCH');
  }

  #run(sequence: ModelSequence, write: Write): unknown {
    switch (write.kind) {
      case 'generate': {
        if (sequence.numberOf(write.elementId) > 0) throw new Refused('ELEMENT_EXISTS');
        const place = placeFor(write.target ?? { at: 'last' }, sequence.elements);
        const element = newElement(write.elementId, write.comment, write.content, this.#peek(sequence));
        this.#rearrange(sequence, sequence.elements.toSpliced(place, 0, element));
        return { ...revisions(sequence), element: elementAnswer(sequence, write.elementId) };
      }
      case 'batch_generate': {
        if (write.items.some(({ elementId }) => sequence.numberOf(elementId) > 0))
          throw new Refused('ELEMENT_EXISTS');
        const time = this.#peek(sequence);
        const added = write.items.map((item) => newElement(item.elementId, item.comment, item.content, time));
        this.#rearrange(sequence, [...sequence.elements, ...added]);
        const elements = write.items.map(({ elementId }) => elementAnswer(sequence, elementId));
        return { ...revisions(sequence), elements };
      }
      case 'reorder': {
        for (const id of write.newOrder) existing(sequence, id);
        const listed = write.newOrder.map((id) => existing(sequence, id));
        const waiting = [...listed];
        const next = sequence.elements.map((element) =>
          listed.includes(element) ? waiting.shift()! : element,
        );
        const old = new Map(write.newOrder.map((id) => [id, sequence.numberOf(id)]));
        this.#rearrange(sequence, next);
        const elementIds = write.newOrder.filter((id) => old.get(id) !== sequence.numberOf(id));
        const moved = {
          elementIds,
          oldNumbers: elementIds.map((id) => old.get(id)),
          newNumbers: elementIds.map((id) => sequence.numberOf(id)),
        };
        return { ...revisions(sequence), comment: write.comment, moved };
      }
      case 'move': {
        const element = existing(sequence, write.elementId);
        const oldSequenceNumber = sequence.numberOf(write.elementId);
        const others = sequence.elements.filter((other) => other !== element);
        const next = others.toSpliced(placeFor(write.target, others), 0, element);
        const shifted = this.#rearrange(sequence, next, write.elementId);
        return {
          ...revisions(sequence),
          oldSequenceNumber,
          newSequenceNumber: sequence.numberOf(write.elementId),
          shifted,
        };
      }
      case 'create_version': {
        const { versions } = existing(sequence, write.elementId);
        const latest = versions.at(-1)!;
        if (write.expectedVersion !== undefined && write.expectedVersion !== latest.versionNumber)
          throw new Refused('VERSION_MISMATCH');
        const sequenceNumber = sequence.numberOf(write.elementId);
        latest.sequenceNumber = sequenceNumber;
        sequence.revision += 1;
        const versionNumber = latest.versionNumber + 1;
        const { comment, content } = write;
        const createTime = this.#tick(sequence);
        versions.push({ versionNumber, sequenceNumber: undefined, comment, content, createTime });
        mark(sequence, write.elementId, versionNumber - 1);
        mark(sequence, write.elementId, versionNumber);
        return { ...revisions(sequence), versionNumber, comment, sequenceNumber };
      }
      case 'remove': {
        const element = existing(sequence, write.elementId);
        const oldSequenceNumber = sequence.numberOf(write.elementId);
        if (element.versions.length > this.#maxRenumber) throw new Refused('TOO_MANY_RENUMBERED');
        const shifted = this.#rearrange(
          sequence,
          sequence.elements.filter((other) => other !== element),
        );
        for (const { versionNumber } of element.versions) mark(sequence, write.elementId, versionNumber);
        return { ...revisions(sequence), oldSequenceNumber, shifted };
      }
    }
  }

  /**
   * Puts another list in the place of a sequence's own, where that makes a difference.
   * @param apart an element that is not counted among the shifted ones
   * @returns the range of the others that got a new number
   */
  #rearrange(
    sequence: ModelSequence,
    next: ModelElement[],
    apart?: number,
  ): { first: number; last: number; by: number } | null {
    const renumbered = next
      .map((element, index) => ({ element, from: sequence.numberOf(element.elementId), to: index + 1 }))
      .filter(({ from, to }) => from !== to);
    const shifted = renumbered.filter(({ from }) => from > 0);
    if (shifted.length > this.#maxRenumber) throw new Refused('TOO_MANY_RENUMBERED');
    if (renumbered.length === 0 && next.length === sequence.elements.length) return null;
    sequence.elements = next;
    sequence.revision += 1;
    sequence.orderRevision = sequence.revision;
    this.#tick(sequence);
    for (const { element } of renumbered) mark(sequence, element.elementId, element.versions.length);

    const others = shifted.filter(({ element }) => element.elementId !== apart);
    const numbers = others.map(({ from }) => from);
    return others.length === 0
      ? null
      : { first: Math.min(...numbers), last: Math.max(...numbers), by: others[0]!.to - others[0]!.from };
  }

  #tick(sequence: ModelSequence): number {
    sequence.lastChangeTime = this.#peek(sequence);
    return sequence.lastChangeTime;
  }

  #peek(sequence: ModelSequence): number {
    return Math.max(this.#now(), sequence.lastChangeTime + 1);
  }
}

function newElement(
  elementId: number,
  comment: string,
  content: string | null,
  createTime: number,
): ModelElement {
  const first = { versionNumber: 1, sequenceNumber: undefined, comment, content, createTime };
  return { elementId, createTime, versions: [first] };
}

function existing(sequence: ModelSequence, elementId: number): ModelElement {
  const element = sequence.elements[sequence.numberOf(elementId) - 1];
  if (element === undefined) throw new Refused('ELEMENT_NOT_FOUND');
  return element;
}

/** The index in `others`, which do not hold the element itself, that a target means. */
function placeFor(target: Target, others: readonly ModelElement[]): number {
  switch (target.at) {
    case 'first':
      return 0;
    case 'last':
      return others.length;
    case 'position':
      if (target.position < 1 || target.position > others.length + 1)
        throw new Refused('POSITION_OUT_OF_RANGE');
      return target.position - 1;
    default: {
      const anchor = others.findIndex(({ elementId }) => elementId === target.elementId);
      if (anchor === -1) throw new Refused('ELEMENT_NOT_FOUND');
      return target.at === 'before' ? anchor : anchor + 1;
    }
  }
}

function mark(sequence: ModelSequence, elementId: number, versionNumber: number): void {
  const id = `${elementId}/${versionNumber}`;
  const since = sequence.dirty.get(id)?.since ?? sequence.revision;
  sequence.dirty.set(id, { since, wanted: sequence.revision });
}

function revisions({ revision, orderRevision }: ModelSequence): { revision: number; orderRevision: number } {
  return { revision, orderRevision };
}

/** An element as answers to writes carry it. */
export function elementAnswer(sequence: ModelSequence, elementId: number): unknown {
  const element = existing(sequence, elementId);
  const { versionNumber, comment, createTime } = element.versions.at(-1)!;
  return {
    elementId,
    sequenceNumber: sequence.numberOf(elementId),
    versionNumber,
    comment,
    createTime: element.createTime,
    updateTime: createTime,
  };
}
