import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ENGINE } from '../../engines/index.ts';
import { LIMIT_MS, live, STORM_MS } from './harness.ts';

const EVERY_MS = 2_000;

test(
  'a replica is killed every two seconds and started again',
  async () => {
    const url = await ENGINE.newPlace();
    const refused = await live({
      url,
      place: () => url,
      kills: true,
      async blow(replicas) {
        const end = performance.now() + STORM_MS;
        for (let turn = 0; turn < 3 || performance.now() < end; turn++) {
          const next = sleep(EVERY_MS);
          await replicas.kill(turn % 3);
          await replicas.start(turn % 3);
          await next;
        }
      },
    });
    expect(refused.get('broken connection')).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
