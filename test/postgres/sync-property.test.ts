import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { test } from 'vitest';
import { until } from '../support/until.ts';
import { beginFault, clearFaults } from '../sync/arbitrary-faults.ts';
import { ENV, randomFrom, step, TIMES, write } from '../sync/arbitrary-steps.ts';
import {
  AT,
  COLLECTION,
  converged,
  databaseFile,
  dirty,
  follow,
  KINDS,
  startIndex,
} from '../sync/harness.ts';

const RUNS = process.env['LONG'] === '1' ? 200 : 8;
/** Another seed may be given, to see a failure again. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const REPLICAS = 3;

test(
  `the index converges, whatever happens to three replicas: ${RUNS} runs, seed ${SEED}`,
  async () => {
    const script = fc.tuple(
      fc.constantFrom(...KINDS),
      fc.array(fc.tuple(fc.nat(REPLICAS - 1), step), { minLength: 5, maxLength: 40 }),
      fc.nat(),
    );
    const property = fc.asyncProperty(script, async ([kind, steps, seed]) => {
      const { double, env } = await startIndex(kind);
      const file = await databaseFile();
      const random = randomFrom(seed);
      const offsets = Array.from({ length: REPLICAS }, () => 0);
      const start = (replica: number, more: Record<string, string> = {}, target = env) =>
        follow(
          { ...target, ...ENV, ...more },
          { now: () => Date.now() + offsets[replica]!, random, sync: TIMES },
          file,
        );
      const replicas = [await start(0), await start(1), await start(2)];
      const stop = () => Promise.all(replicas.map(({ app }) => app.stop()));
      try {
        for (const [replica, one] of steps) {
          if (one.do === 'wait') await sleep(one.ms);
          else if (one.do === 'fault') beginFault(double, one);
          else if (one.do === 'clear') await clearFaults(double);
          else if (one.do === 'drop') double.drop(COLLECTION);
          else if (one.do === 'refuse') double.store.refuse(`play_section_${one.id}_1`);
          else if (one.do === 'clock') offsets[replica] = one.minutes * 60_000;
          else if (one.do === 'restart') {
            if (one.kill) replicas[replica]!.app.kill();
            await replicas[replica]!.app.stop();
            const worker: Record<string, string> = one.sends === 'worker off' ? { SYNC_WORKER: 'off' } : {};
            replicas[replica] = await start(replica, worker, one.sends === 'no target' ? {} : env);
            // What a write is refused for, such as an element that is there, is not this test's.
          } else await write(replicas[replica]!, one).catch(() => {});
        }
        await stop();
        for (let element = 1; element <= 9; element++) double.store.accept(`play_section_${element}_1`);
        await clearFaults(double);
        // A collection that was dropped is missed when something is sent: here, at the latest.
        for (let replica = 0; replica < REPLICAS; replica++) replicas[replica] = await start(replica);
        const { revision } = await replicas[0]!.client.batchGenerate({ ...AT, items: [{ elementId: 99n }] });
        await until('all is acknowledged', async () => {
          const left = await dirty(file);
          if (left.parked > 0) await replicas[1]!.sync.retryParked({ all: true });
          return left.dirty === 0;
        });
        await replicas[2]!.sync.waitForSync({ ...AT, revision });
        await converged(file, double);
      } finally {
        await stop();
        await double.server.stop();
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true, verbose: 1 });
  },
  RUNS * 15_000 + 30_000,
);
