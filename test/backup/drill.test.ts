import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cli } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  AT,
  COLLECTION,
  converged,
  type Follower,
  follow,
  generated,
  KINDS,
  startIndex,
} from '../sync/harness.ts';
import { all } from '../sync/index-truth.ts';

/** Writes of every kind, on elements from `first` on. */
async function write({ client }: Follower, first: number): Promise<void> {
  const [one, other] = [BigInt(first), BigInt(first + 1)];
  await client.batchGenerate({ ...AT, items: [{ elementId: one }, { elementId: other }] });
  await client.generate({ ...AT, elementId: BigInt(first + 2), target: { case: 'before', value: 3n } });
  await client.createVersion({ ...AT, elementId: one, comment: `of ${first}`, content: { first } });
  await client.reorder({ ...AT, newOrder: [other, one] });
  await client.move({ ...AT, elementId: other, target: { case: 'first', value: true } });
  await client.remove({ ...AT, elementId: BigInt(first + 2) });
}

/** Writes in the background until it is told to stop. */
function load(follower: Follower, first: number): { stop(): Promise<void> } {
  let stopped = false;
  const running = (async () => {
    for (let fresh = first; !stopped; fresh += 3) await write(follower, fresh);
  })();
  onTestFinished(() => {
    stopped = true;
  });
  // `stop` tells of its failure; where the test has failed before, that one is told.
  running.catch(() => {});
  return {
    async stop() {
      stopped = true;
      await running;
    },
  };
}

test.each(KINDS)(
  '%s: load, backup, more load, restore: the index follows the restored database',
  async (kind) => {
    const { double, env } = await startIndex(kind);
    const before = await follow(env);
    const database = { DATABASE_URL: `sqlite:///${before.file}` };
    await generated(before, double, 1, 40);

    const busy = load(before, 1_000);
    const backup = join(await temporaryFolder(), 'backup.db');
    expect(await cli(['backup', backup], database)).toMatchObject({ code: 0, stderr: '' });
    await busy.stop();
    // What the backup does not know: elements, removals, an order, and two resyncs.
    await write(before, 50_000);
    await before.client.generate({ ...AT, scope: 'later', elementId: 1n });
    await before.sync.resync({});
    await before.sync.resync({ scope: 'play' });
    await converged(before.file, double);
    const orphans = [`${AT.scope}_section_50000_1`, 'later_section_1_1'];
    const held = () => double.documents(COLLECTION).map(({ id }) => String(id));
    expect(held()).toEqual(expect.arrayContaining(orphans));
    await before.app.stop();

    expect(await cli(['restore', backup], database)).toMatchObject({ code: 0, stderr: '' });
    const [{ n: known }] = (await all<{ n: number }>(before.file, 'SELECT count(*) AS n FROM element')) as [
      { n: number },
    ];
    expect(known).toBeGreaterThanOrEqual(40);
    const after = await follow(env, {}, before.file);
    await converged(after.file, double, 20_000);
    for (const orphan of orphans) expect(held()).not.toContain(orphan);
    // And on it goes.
    await write(after, 90_000);
    await converged(after.file, double);
  },
  60_000,
);

test('a backup from before there was an index, restored under one that is full', async () => {
  const { double, env } = await startIndex('typesense');
  const alone = await follow({});
  await alone.client.generate({ ...AT, elementId: 1n });
  const database = { DATABASE_URL: `sqlite:///${alone.file}` };
  const backup = join(await temporaryFolder(), 'backup.db');
  expect(await cli(['backup', backup], database)).toMatchObject({ code: 0 });
  await alone.app.stop();
  const followed = await follow(env, {}, alone.file);
  await generated(followed, double, 2, 30);
  await followed.app.stop();
  expect(await cli(['restore', backup], database)).toMatchObject({ code: 0 });
  const after = await follow(env, {}, alone.file);
  await converged(after.file, double);
  expect(double.documents(COLLECTION)).toHaveLength(1);
});
