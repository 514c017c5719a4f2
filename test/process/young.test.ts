import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { laneOfProject } from '../support/lane.ts';
import { startService } from '../support/service.ts';
import { CALLS, callRound, memoryOf } from '../support/young.ts';

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
  expect(before.majorCollections).toBeGreaterThan(0);
  await callRound(service);
  const after = await memoryOf(service);
  expect((after.oldBytes - before.oldBytes) / CALLS).toBeLessThan(MAX_OLD_BYTES);
  // One of those would have thrown away what got there.
  expect(after.majorCollections).toBe(before.majorCollections);
});

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
