import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { verifyDatabase } from '../../src/db/database.ts';
import { sequenceClient } from '../support/clients.ts';
import { placeOf, urlOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { answers, type Fault } from '../support/typesense/faults.ts';
import { AT, converged, databaseFile, KINDS, startIndex, syncClient } from '../sync/harness.ts';

const ROUNDS = process.env['LONG'] === '1' ? 20 : 4;
const FAULTS: readonly Fault[] = [
  { kind: 'hang', apply: 'on-close', lateMs: 60 },
  { kind: 'reset', apply: 'half' },
  answers.notReady(),
  { kind: 'delay', ms: 40 },
];

test.each(KINDS)(
  '%s: of two replicas under load one is killed or stopped past its leases, again and again: nothing is lost',
  async (kind) => {
    const { double, env } = await startIndex(kind);
    const file = await databaseFile();
    const start = () =>
      startService({
        env: {
          ...(env as Record<string, string>),
          DATABASE_URL: urlOf(file),
          SYNC_CALL_TIMEOUT: '100ms',
          SYNC_SETTLE: '500ms',
        },
      });
    const stays = await start();
    let next = 1n;
    for (let round = 0; round < ROUNDS; round++) {
      double.faults.flapping({ up: 3, down: 1, fault: FAULTS[round % FAULTS.length]! });
      const goes = await start();
      let over = false;
      const caller = async (url: string) => {
        const client = sequenceClient(url);
        while (!over) {
          const elementId = next++;
          await client.generate({ ...AT, elementId });
          await client.createVersion({ ...AT, elementId });
          await client.move({ ...AT, elementId, target: { case: 'position', value: 1 } });
          if (elementId % 3n === 0n) await client.remove({ ...AT, elementId });
        }
      };
      const callers = [stays.url, goes.url, goes.url].map((url) => caller(url).catch(() => {}));
      await sleep(200 + ((round * 97) % 250));
      if (round % 2 === 0) goes.child.kill('SIGKILL');
      else {
        // Its leases end meanwhile, and the other one takes them.
        goes.child.kill('SIGSTOP');
        await sleep(800);
        goes.child.kill('SIGCONT');
        await sleep(200);
        goes.child.kill('SIGTERM');
      }
      over = true;
      await goes.ended;
      await Promise.all(callers);
    }
    double.faults.clear();
    const { revision } = await sequenceClient(stays.url).generate({ ...AT, elementId: 1_000_000n });
    await syncClient(stays.url).waitForSync({ ...AT, revision }, { timeoutMs: 20_000 });
    await converged(file, double, 20_000);
    stays.child.kill('SIGTERM');
    expect((await stays.ended).code).toBe(0);
    expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
  },
  ROUNDS * 10_000 + 30_000,
);
