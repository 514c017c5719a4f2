import { expect } from 'vitest';
import { metricsOf } from './metrics-page.ts';
import type { Service } from './service.ts';

const SERVICE = '/fountain.sequence.v1.SequenceService/';
/** Of a round. */
export const CALLS = 4_000;
const CALLERS = 32;

let generated = 0;

/** Calls Generate, each caller one call after another. */
export async function callRound(service: Service): Promise<void> {
  await round(service, 'Generate', () => {
    generated += 1;
    return { elementId: generated, requestId: crypto.randomUUID() };
  });
}

/** Calls GetElement for what {@link callRound} has generated, each caller one call after another. */
export async function readRound(service: Service): Promise<void> {
  let read = 0;
  await round(service, 'GetElement', () => {
    read += 1;
    return { elementId: 1 + (read % generated) };
  });
}

async function round({ url }: Service, method: string, request: () => object): Promise<void> {
  const caller = async () => {
    for (let i = 0; i < CALLS / CALLERS; i++) {
      const response = await fetch(url + SERVICE + method, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ scope: 'young', elementType: 1, ...request() }),
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
