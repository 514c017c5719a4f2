import type { JsonObject } from '@bufbuild/protobuf';
import type { SequenceClient } from '../../../client/src/index.ts';
import { ELEMENT_TYPES } from '../element-type.ts';
import type { OrderStep } from './ordering.ts';
import type { SequencePlan } from './plan.ts';

/** Versions of different elements do not wait for each other; the service commits them together. */
const PARALLEL = 16;

/** What was done, as a person counts it. */
export interface Sent {
  /** Calls that write. */
  calls: number;
  generated: number;
  versions: number;
  removed: number;
}

/** How many elements the plans touch, which is what {@link PlanSender} counts. */
export function workOf(plans: readonly SequencePlan[]): number {
  return plans.reduce(
    (sum, { removals, steps, versions }) =>
      sum + removals.length + versions.length + steps.reduce((all, step) => all + weight(step), 0),
    0,
  );
}

/** Sends plans to the service, call by call. */
export class PlanSender {
  readonly sent: Sent = { calls: 0, generated: 0, versions: 0, removed: 0 };
  readonly #client: SequenceClient;
  readonly #scope: string;
  readonly #signal: AbortSignal;
  readonly #onDone: (elements: number) => void;

  /** @param onDone is told how many elements each call was about */
  constructor(
    client: SequenceClient,
    scope: string,
    signal: AbortSignal,
    onDone: (elements: number) => void,
  ) {
    this.#client = client;
    this.#scope = scope;
    this.#signal = signal;
    this.#onDone = onDone;
  }

  /** Removes what is not in the file, the sections last: an aborted import leaves nothing below a missing one. */
  async send(plans: readonly SequencePlan[]): Promise<void> {
    const revisions = new Map(plans.map(({ type, orderRevision }) => [type, orderRevision]));
    for (const plan of plans.toReversed()) revisions.set(plan.type, await this.#remove(plan));
    for (const plan of plans) {
      await this.#order(plan, revisions.get(plan.type)!);
      await this.#version(plan);
    }
  }

  async #remove({ type, removals, orderRevision }: SequencePlan): Promise<bigint> {
    let expectedRevision = orderRevision;
    for (const id of removals) {
      const request = { ...this.#sequence(type), elementId: BigInt(id), comment: COMMENT, expectedRevision };
      const answer = await this.#client.remove(request, { signal: this.#signal });
      expectedRevision = answer.orderRevision;
      this.sent.removed++;
      this.#done(1);
    }
    return expectedRevision;
  }

  async #order(plan: SequencePlan, orderRevision: bigint): Promise<void> {
    let expectedRevision = orderRevision;
    for (const step of plan.steps) {
      const answer = await this.#step(plan, step, expectedRevision);
      expectedRevision = answer.orderRevision;
      if (step.kind === 'batch') this.sent.generated += step.ids.length;
      if (step.kind === 'insert') this.sent.generated++;
      this.#done(weight(step));
    }
  }

  #step(
    { type, fresh }: SequencePlan,
    step: OrderStep,
    expectedRevision: bigint,
  ): Promise<{ orderRevision: bigint }> {
    const common = { ...this.#sequence(type), comment: COMMENT, expectedRevision };
    const options = { signal: this.#signal };
    switch (step.kind) {
      case 'batch': {
        const items = step.ids.map((id) => ({ ...item(id, fresh), comment: COMMENT }));
        return this.#client.batchGenerate({ ...this.#sequence(type), items, expectedRevision }, options);
      }
      case 'insert':
        return this.#client.generate(
          { ...common, ...item(step.id, fresh), target: targetOf(step.after) },
          options,
        );
      case 'move':
        return this.#client.move(
          { ...common, elementId: BigInt(step.id), target: targetOf(step.after) },
          options,
        );
      case 'reorder':
        return this.#client.reorder({ ...common, newOrder: step.newOrder.map(BigInt) }, options);
    }
  }

  async #version({ type, versions }: SequencePlan): Promise<void> {
    const waiting = versions.values();
    const work = async () => {
      for (const { id, replaces, content } of waiting) {
        await this.#client.createVersion(
          {
            ...this.#sequence(type),
            elementId: BigInt(id),
            comment: COMMENT,
            content,
            expectedVersion: replaces,
          },
          { signal: this.#signal },
        );
        this.sent.versions++;
        this.#done(1);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, versions.length) }, work));
  }

  #sequence(type: SequencePlan['type']) {
    return { scope: this.#scope, elementType: ELEMENT_TYPES[type] };
  }

  #done(elements: number): void {
    this.sent.calls++;
    this.#onDone(elements);
  }
}

const COMMENT = 'import';

function item(id: number, fresh: ReadonlyMap<number, JsonObject>) {
  return { elementId: BigInt(id), content: fresh.get(id)! };
}

function targetOf(after: number | undefined) {
  return after === undefined
    ? { case: 'first' as const, value: true }
    : { case: 'after' as const, value: BigInt(after) };
}

function weight(step: OrderStep): number {
  if (step.kind === 'batch') return step.ids.length;
  return step.kind === 'reorder' ? step.newOrder.length : 1;
}
