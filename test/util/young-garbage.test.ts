import { expect, test } from 'vitest';
import { startService } from '../support/service.ts';
import { callRound, memoryOf } from '../support/young.ts';

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
  expect(byV8).toBeGreaterThan(0);
  expect(between).toBeGreaterThan(3 * byV8);
});
