import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { test } from 'vitest';
import { ENGINE } from '../engines/index.ts';
import { until } from '../support/until.ts';
import { beginFault, clearFaults } from './arbitrary-faults.ts';
import { ENV, randomFrom, step, TIMES, write } from './arbitrary-steps.ts';
import { AT, COLLECTION, converged, databaseFile, dirty, follow, KINDS, startIndex } from './harness.ts';

const RUNS = process.env['LONG'] === '1' ? 500 : Math.ceil(50 * ENGINE.share);
/** Another seed may be given, to see a failure again. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `the index converges, whatever happens: ${RUNS} runs, seed ${SEED}`,
  async () => {
    const script = fc.tuple(
      fc.constantFrom(...KINDS),
      fc.array(step, { minLength: 3, maxLength: 25 }),
      fc.nat(),
    );
    const property = fc.asyncProperty(script, async ([kind, steps, seed]) => {
      const { double, env } = await startIndex(kind);
      const file = await databaseFile();
      let offsetMs = 0;
      const overrides = { now: () => Date.now() + offsetMs, random: randomFrom(seed), sync: TIMES };
      let follower = await follow({ ...env, ...ENV }, overrides, file);
      try {
        for (const one of steps) {
          if (one.do === 'wait') await sleep(one.ms);
          else if (one.do === 'fault') beginFault(double, one);
          else if (one.do === 'clear') await clearFaults(double);
          else if (one.do === 'drop') double.drop(COLLECTION);
          else if (one.do === 'refuse') double.store.refuse(`play_section_${one.id}_1`);
          else if (one.do === 'clock') offsetMs = one.minutes * 60_000;
          else if (one.do === 'restart') {
            if (one.kill) follower.app.kill();
            await follower.app.stop();
            const target = one.sends === 'no target' ? {} : env;
            const worker = one.sends === 'worker off' ? { SYNC_WORKER: 'off' } : {};
            follower = await follow({ ...target, ...ENV, ...worker }, overrides, file);
            // What a write is refused for, such as an element that is there, is not this test's.
          } else await write(follower, one).catch(() => {});
        }
        await follower.app.stop();
        for (let element = 1; element <= 9; element++) double.store.accept(`play_section_${element}_1`);
        await clearFaults(double);
        // A collection that was dropped is missed when something is sent: here, at the latest.
        follower = await follow({ ...env, ...ENV }, overrides, file);
        const { revision } = await follower.client.batchGenerate({ ...AT, items: [{ elementId: 99n }] });
        await until('all is acknowledged', async () => {
          const left = await dirty(file);
          if (left.parked > 0) await follower.sync.retryParked({ all: true });
          return left.dirty === 0;
        });
        await follower.sync.waitForSync({ ...AT, revision });
        await converged(file, double);
      } finally {
        await follower.app.stop();
        await double.server.stop();
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true, verbose: 1 });
  },
  RUNS * 4_000,
);
