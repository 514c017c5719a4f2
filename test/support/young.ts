import { expect } from 'vitest';
import { metricsOf } from './metrics-page.ts';
import type { Service } from './service.ts';

const METHOD = '/fountain.sequence.v1.SequenceService/Generate';
/** Of a round. */
export const CALLS = 4_000;
const CALLERS = 32;

let elementId = 0;

/** Calls Generate, each caller one call after another. */
export async function callRound({ url }: Service): Promise<void> {
  const caller = async () => {
    for (let i = 0; i < CALLS / CALLERS; i++) {
      elementId += 1;
      const request = { scope: 'young', elementType: 1, elementId, requestId: crypto.randomUUID() };
      const response = await fetch(url + METHOD, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      expect(response.status, await response.text()).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** What V8 says of its memory. */
export interface Memory {
  readonly oldBytes: number;
  readonly minorCollections: number;
  readonly majorCollections: number;
}

export async function memoryOf({ url }: Service): Promise<Memory> {
  const samples = await metricsOf(url);
  const collections = (kind: string) =>
    samples.get(`sequence_nodejs_gc_duration_seconds_count{kind="${kind}"}`) ?? 0;
  return {
    oldBytes: samples.get('sequence_nodejs_heap_space_size_used_bytes{space="old"}')!,
    minorCollections: collections('minor'),
    majorCollections: collections('major'),
  };
}
