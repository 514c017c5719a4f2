import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RELEASE } from '../../../src/util/release.ts';
import { ENGINE } from '../../engines/index.ts';
import { cli } from '../../support/command.ts';
import { startMain } from '../../support/service.ts';
import { LIMIT_MS, live } from './harness.ts';
import { NEXT_MIGRATIONS, NEXT_RELEASE, nextRelease } from './next-release.ts';

/** Between two replacements. */
const APART_MS = 300;

test(
  'the next release migrates under load, replaces the replicas one by one, and is replaced by this one again',
  async () => {
    const root = await nextRelease();
    const url = await ENGINE.newPlace();
    const env = { DATABASE_URL: url };
    const refused = await live({
      url,
      place: () => url,
      async blow(replicas) {
        const early = await (await startMain({ env, root })).ended;
        expect(early.code).toBe(1);
        expect(early.stderr).toContain(
          `the database lacks ${NEXT_MIGRATIONS.length} migration(s): ${NEXT_MIGRATIONS.join(', ')}; run "cli migrate"`,
        );
        const migrate = () => cli(['migrate'], env, { root });
        const migrated = await Promise.all([migrate(), migrate()]);
        for (const { code, stderr } of migrated) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        const applied = NEXT_MIGRATIONS.map((name) => `: applied ${name}\n`);
        expect(migrated.filter(({ stdout }) => applied.every((line) => stdout.includes(line)))).toHaveLength(
          1,
        );
        expect(migrated.filter(({ stdout }) => stdout.endsWith(' is up to date\n'))).toHaveLength(1);
        for (const release of [root, undefined])
          for (let index = 0; index < 3; index++) {
            expect(await replicas.stop(index)).toBe(0);
            await replicas.start(index, release);
            const [{ release: running } = {}] = replicas.up
              .filter((replica) => replica.index === index)
              .flatMap(({ service }) => service.log().filter(({ msg }) => msg === 'serving'));
            expect(running).toBe(release === root ? NEXT_RELEASE : RELEASE);
            await sleep(APART_MS);
          }
      },
    });
    expect([...refused.keys()].filter((key) => !key.startsWith('unavailable'))).toEqual([]);
  },
  // A process starts eleven times.
  LIMIT_MS + 60_000,
);
