import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Answer } from '../support/caller.ts';

/** The fields of the writes' requests that the replay looks at. */
interface WriteBody {
  readonly elementId?: number;
  readonly before?: number;
  readonly position?: number;
  readonly comment?: string;
  readonly content?: object;
  readonly newOrder?: readonly number[];
  readonly items?: readonly { readonly elementId: number; readonly comment: string }[];
}

/** A write that was sent, and what the service has said to it; `answer` is missing while it has not. */
export interface SentWrite {
  readonly sequence: SequenceName;
  readonly method: string;
  readonly body: WriteBody;
  answer?: Answer;
  /** Its answer was lost: of what stands in its place only the revision is known. */
  learnt?: boolean;
}

/** A sequence as requests name it. */
export interface SequenceName {
  readonly scope: string;
  readonly elementType: string;
}

/**
 * Writes mixed things, one after the other, to elements that nobody else touches: so each of its writes succeeds,
 * whatever others do to the same sequence.
 */
export class Author {
  readonly sent: SentWrite[] = [];
  readonly #sequence: SequenceName;
  readonly #firstId: number;
  #made = 0;
  #live: number[] = [];

  constructor(sequence: SequenceName, firstId: number) {
    this.#sequence = sequence;
    this.#firstId = firstId;
  }

  /** The next write; it counts as sent. */
  next(): SentWrite {
    const turn = this.sent.length;
    const comment = `${this.#firstId}/${turn}`;
    const [oldest, second] = this.#live;
    let write: [method: string, body: WriteBody];
    if (oldest === undefined || second === undefined) {
      const items = [this.#newId(), this.#newId()].map((elementId) => ({ elementId, comment }));
      write = ['BatchGenerate', { items }];
    } else if (turn % 6 === 1) write = ['Generate', { elementId: this.#newId(), comment }];
    else if (turn % 6 === 2) write = ['CreateVersion', { elementId: oldest, comment, content: { turn } }];
    else if (turn % 6 === 3) write = ['Generate', { elementId: this.#newId(), comment, before: second }];
    else if (turn % 6 === 4) write = ['Reorder', { newOrder: [second, oldest], comment }];
    else if (turn % 6 === 5) write = ['Move', { elementId: second, position: 1, comment }];
    else if (turn % 12 === 6) write = ['Remove', { elementId: this.#drop(oldest), comment }];
    else write = ['CreateVersion', { elementId: second, comment }];
    const [method, body] = write;
    const sent = {
      sequence: this.#sequence,
      method,
      body: { ...this.#sequence, ...body, requestId: randomUUID() },
    };
    this.sent.push(sent);
    return sent;
  }

  #newId(): number {
    const id = this.#firstId + this.#made++;
    this.#live.push(id);
    return id;
  }

  #drop(id: number): number {
    this.#live = this.#live.filter((one) => one !== id);
    return id;
  }
}

/** What a sequence must hold: its elements in order, each with the comments of its versions. */
export interface Expected {
  readonly revision: number;
  readonly elements: { readonly id: number; readonly comments: readonly string[] }[];
}

/**
 * Runs the answered writes of one sequence in the order that their answers claim, on a plain list, and checks each
 * answer on the way. Each revision must belong to exactly one of them: none is missing, none was done twice.
 */
export function replay(writes: readonly SentWrite[]): Expected {
  const byRevision = writes
    .filter(hasChanged)
    .map((write) => ({ ...write, revision: Number(write.answer?.body['revision']) }))
    .sort((a, b) => a.revision - b.revision);
  assert.deepEqual(
    byRevision.map(({ revision }) => revision),
    byRevision.map((_, index) => index + 1),
  );
  const model = new Model();
  for (const write of byRevision) model.apply(write);
  return { revision: byRevision.length, elements: model.elements };
}

/** A Move or Reorder that finds everything in place is no change, and has no revision of its own. */
export function hasChanged({ method, answer }: SentWrite): boolean {
  const body = answer?.body ?? {};
  if (method === 'Move') return body['oldSequenceNumber'] !== body['newSequenceNumber'];
  return method !== 'Reorder' || body['reorderedElements'] !== undefined;
}

/** A sequence as a plain list. */
export class Model {
  elements: { id: number; comments: string[] }[] = [];

  /** Runs a write, and checks its answer. */
  apply({ method, body, answer, learnt }: SentWrite): void {
    const said = answer?.body ?? {};
    const { elementId: id = 0, comment = '' } = body;
    switch (method) {
      case 'BatchGenerate': {
        const items = body.items ?? [];
        const numbers = items.map((_, index) => this.elements.length + 1 + index);
        const made = said['elements'] as { sequenceNumber: number }[];
        assert.deepEqual(
          made.map(({ sequenceNumber }) => sequenceNumber),
          numbers,
        );
        for (const item of items) this.elements.push({ id: item.elementId, comments: [item.comment] });
        break;
      }
      case 'Generate': {
        const before = body.before === undefined ? this.elements.length : this.#place(body.before);
        if (!learnt) told(said, { sequenceNumber: before + 1, comment });
        this.elements.splice(before, 0, { id, comments: [comment] });
        break;
      }
      case 'CreateVersion': {
        const { comments } = this.elements[this.#place(id)]!;
        comments.push(comment);
        told(said, { versionNumber: comments.length, sequenceNumber: this.#place(id) + 1 });
        break;
      }
      case 'Move': {
        const from = this.#place(id);
        told(said, { oldSequenceNumber: from + 1, newSequenceNumber: 1 });
        this.elements.unshift(...this.elements.splice(from, 1));
        break;
      }
      case 'Reorder': {
        const ids = body.newOrder ?? [];
        const old = ids.map((one) => this.#place(one));
        const places = old.toSorted((a, b) => a - b);
        const moved = old.map((place) => this.elements[place]!);
        moved.forEach((element, index) => {
          this.elements[places[index]!] = element;
        });
        const reordered = said['reorderedElements'] as { elementId: string; newSequenceNumber: number }[];
        assert.equal(reordered.length, ids.length);
        for (const { elementId, newSequenceNumber } of reordered)
          assert.equal(newSequenceNumber, this.#place(Number(elementId)) + 1);
        break;
      }
      case 'Remove': {
        const place = this.#place(id);
        told(said, { oldSequenceNumber: place + 1 });
        this.elements.splice(place, 1);
        break;
      }
      default:
        throw new Error(`no rule for ${method}`);
    }
  }

  #place(id: number): number {
    const place = this.elements.findIndex((element) => element.id === id);
    assert.ok(place >= 0, `element ${id}`);
    return place;
  }
}

function told(said: Record<string, unknown>, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) assert.deepEqual(said[name], value, name);
}
