import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { verifyDatabase } from '../../src/db/database.ts';
import { sequenceClient } from '../support/clients.ts';
import { placeOf, urlOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { answers, type Fault } from '../support/typesense/faults.ts';
import { AT, converged, databaseFile, KINDS, startIndex, syncClient } from './harness.ts';

const KILLS = process.env['LONG'] === '1' ? 20 : 3;
const FAULTS: readonly Fault[] = [
  { kind: 'hang', apply: 'on-close', lateMs: 60 },
  { kind: 'reset', apply: 'half' },
  { kind: 'reset', apply: 'now' },
  answers.notReady(),
  { kind: 'delay', ms: 40 },
];

test.each(KINDS)(
  '%s: `kill -9` under load, with an index that flaps, loses nothing',
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
    let next = 1n;
    for (let kill = 0; kill < KILLS; kill++) {
      double.faults.flapping({ up: 3, down: 1, fault: FAULTS[kill % FAULTS.length]! });
      const { child, url, ended } = await start();
      const client = sequenceClient(url);
      const caller = async () => {
        for (;;) {
          const elementId = next++;
          await client.generate({ ...AT, elementId });
          await client.createVersion({ ...AT, elementId });
          await client.move({ ...AT, elementId, target: { case: 'position', value: 1 } });
          if (elementId % 3n === 0n) await client.remove({ ...AT, elementId });
        }
      };
      const callers = [caller(), caller(), caller()].map((running) => running.catch(() => {}));
      await sleep(150 + ((kill * 97) % 250));
      child.kill('SIGKILL');
      expect((await ended).code).toBe('SIGKILL');
      await Promise.all(callers);
    }
    double.faults.clear();
    const { url, child, ended } = await start();
    const { revision } = await sequenceClient(url).generate({ ...AT, elementId: 1_000_000n });
    await syncClient(url).waitForSync({ ...AT, revision }, { timeoutMs: 20_000 });
    await converged(file, double, 20_000);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
  },
  KILLS * 10_000 + 20_000,
);
