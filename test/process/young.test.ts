import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { laneOfProject } from '../support/lane.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { type Service, startService } from '../support/service.ts';

const METHOD = '/fountain.sequence.v1.SequenceService/Generate';
const CALLS = 4_000;
const CALLERS = 32;
/** What a call may leave in the old generation: 0.6 kB is seen through the lane, 3.8 kB of connect-es' own without it. */
const MAX_OLD_BYTES = laneOfProject().LANE === 'off' ? 6_000 : 1_500;

test('what a call is made of does not get into the old generation', { timeout: 60_000 }, async () => {
  const debuggerPort = await freePort();
  const service = await startService({
    // With so much room nothing is collected by itself: what has got into the old generation is still there when read.
    execArgs: [`--inspect=127.0.0.1:${debuggerPort}`, '--initial-old-space-size=512'],
  });
  await callRound(service);
  // What lives long is old from now on, and what it points to is a root for each collection of the young.
  await collectGarbage(debuggerPort);
  await callRound(service);
  const before = await memoryOf(service);
  await callRound(service);
  const after = await memoryOf(service);
  expect((after.oldBytes - before.oldBytes) / CALLS).toBeLessThan(MAX_OLD_BYTES);
  // One of those would have thrown away what got there.
  expect(after.majorCollections).toBe(before.majorCollections);
});

test('the young garbage is collected between answers, before V8 would', { timeout: 60_000 }, async () => {
  // By itself V8 collects at some 50 of 64 MiB.
  const room = ['--min-semi-space-size=64', '--max-semi-space-size=64'];
  const collections = [];
  for (const execArgs of [room, [...room, '--expose-gc']]) {
    const service = await startService({ execArgs });
    const before = await memoryOf(service);
    await callRound(service);
    collections.push((await memoryOf(service)).minorCollections - before.minorCollections);
  }
  const [byV8, between] = collections as [number, number];
  expect(between).toBeGreaterThan(3 * byV8);
});

let elementId = 0;

async function callRound({ url }: Service): Promise<void> {
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

async function collectGarbage(debuggerPort: number): Promise<void> {
  const targets = (await (await fetch(`http://127.0.0.1:${debuggerPort}/json`)).json()) as Target[];
  const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  const collected = new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
  socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
  await collected;
  socket.close();
}

interface Target {
  readonly webSocketDebuggerUrl: string;
}

interface Memory {
  readonly oldBytes: number;
  readonly minorCollections: number;
  readonly majorCollections: number;
}

async function memoryOf({ url }: Service): Promise<Memory> {
  const samples = await metricsOf(url);
  const collections = (kind: string) =>
    samples.get(`sequence_nodejs_gc_duration_seconds_count{kind="${kind}"}`) ?? 0;
  return {
    oldBytes: samples.get('sequence_nodejs_heap_space_size_used_bytes{space="old"}')!,
    minorCollections: collections('minor'),
    majorCollections: collections('major'),
  };
}
