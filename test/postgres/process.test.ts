import { expect, test } from 'vitest';
import { ENGINE } from '../engines/index.ts';
import { h1Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';

const AT = { scope: 'play', element_type: 'ELEMENT_TYPE_SCRIPT' };

test('two processes serve one database; what one writes the other reads', async () => {
  const DATABASE_URL = await ENGINE.emptyPlace();
  const services = [
    await startService({ env: { DATABASE_URL } }),
    await startService({ env: { DATABASE_URL } }),
  ];
  for (const { url } of services) {
    const ready = await fetch(`${url}/readyz`);
    expect(await ready.json()).toMatchObject({ checks: { database: { engine: 'postgres', ok: true } } });
  }
  const [one, two] = services.map(({ port }) => h1Caller(port));
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      (index % 2 ? one : two)!('Generate', { ...AT, element_id: String(index + 1) }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  for (const call of [one, two])
    expect((await call!('GetSequence', AT)).body).toMatchObject({ size: 40, revision: '40' });
  expect(await cli(['verify'], { DATABASE_URL })).toMatchObject({ code: 0 });
});
