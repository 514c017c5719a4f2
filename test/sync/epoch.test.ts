import { expect, test } from 'vitest';
import { runOn } from '../engines/engine.ts';
import { ENGINE } from '../engines/index.ts';
import { cli } from '../support/command.ts';
import { urlOf } from '../support/place.ts';
import { AT, COLLECTION, converged, databaseFile, follow, generated, KINDS, startIndex } from './harness.ts';

test.each(KINDS)(
  '%s: a database that was restored by other means, and `cli restored`: its orphans go',
  async (kind) => {
    const { double, env } = await startIndex(kind);
    const place = await databaseFile();
    const before = await follow(env, {}, place);
    await generated(before, double, 1, 20);
    await before.sync.resync({});
    await converged(place, double);
    await before.app.stop();
    // As in the state of a backup: the last ten are not there, and nothing is marked.
    await runOn(ENGINE, place, 'DELETE FROM element WHERE element_id > 10');
    await runOn(ENGINE, place, 'UPDATE sequence SET size = 10');
    const noted = await cli(['restored'], { DATABASE_URL: urlOf(place) });
    expect(noted).toMatchObject({ code: 0, stderr: '' });

    const after = await follow(env, {}, place);
    await converged(place, double, 15_000);
    expect(double.documents(COLLECTION)).toHaveLength(10);
    await after.client.generate({ ...AT, elementId: 11n });
    await converged(place, double);
  },
);
