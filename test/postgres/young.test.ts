import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENGINE } from '../engines/index.ts';
import { startService } from '../support/service.ts';
import { CALLS, callRound, memoryOf, readRound } from '../support/young.ts';

/** What a read may leave in the old generation: 0.3 kB is seen, and 3.0 with the driver's `query_timeout`. */
const MAX_OLD_BYTES = 1_200;

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

test('what a read is made of does not get into the old generation', { timeout: 60_000 }, async () => {
  const flags = scripts.start.split(' ').filter((part: string) => part.startsWith('--'));
  const service = await startService({
    env: { DATABASE_URL: await ENGINE.newPlace() },
    // With so much room nothing is collected by itself: what has got into the old generation is still there when read.
    execArgs: [...flags, '--initial-old-space-size=512'],
  });
  await callRound(service);
  await readRound(service);
  const before = await memoryOf(service);
  await readRound(service);
  const after = await memoryOf(service);
  expect((after.oldBytes - before.oldBytes) / CALLS).toBeLessThan(MAX_OLD_BYTES);
  expect(after.majorCollections).toBe(before.majorCollections);
});
