import { expect, onTestFinished, test } from 'vitest';
import type { PostgresUrl } from '../../src/config.ts';
import { type Hint, PostgresHints } from '../../src/db/hints.ts';
import { connectionOptions } from '../../src/db/postgres.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { until } from '../support/until.ts';

async function start() {
  const place = await ENGINE.newPlace();
  const connection = await ENGINE.connect(place);
  onTestFinished(() => connection.close());
  const open = async (name: string) => {
    const url = placeOf(place).url as PostgresUrl;
    const hints = new PostgresHints(await connectionOptions({ url, sslCa: '' }, name));
    onTestFinished(() => hints.close());
    const heard: Hint[] = [];
    hints.listen((hint) => heard.push(hint));
    // What was missed before it listened.
    await until('it listens', () => heard.length === 2);
    heard.length = 0;
    return { hints, heard };
  };
  return { connection, one: await open('one'), two: await open('two') };
}

test('the others hear it, and who told does not', async () => {
  const { one, two } = await start();
  one.hints.send('dirty');
  await until('heard', () => two.heard.length > 0);
  two.hints.send('cleared');
  await until('heard', () => one.heard.length > 0);
  expect([one.heard, two.heard]).toEqual([['cleared'], ['dirty']]);
});

test('a thousand in a burst are a few, and the last is heard', async () => {
  const { one, two } = await start();
  const began = performance.now();
  for (let count = 0; count < 1_000; count++) {
    one.hints.send('dirty');
    if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const before = two.heard.length;
  one.hints.send('cleared');
  await until('heard', () => two.heard.includes('cleared'));
  const most = (performance.now() - began) / 40 + 2;
  expect(two.heard.filter((hint) => hint === 'dirty').length).toBeLessThanOrEqual(most);
  expect(before).toBeLessThanOrEqual(most);
});

test('a connection that is lost is made anew, and says that hints may have been missed', async () => {
  const { connection, one, two } = await start();
  await connection.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'two'`,
  );
  one.hints.send('dirty');
  await until('it listens again', () => two.heard.length >= 2);
  two.heard.length = 0;
  one.hints.send('cleared');
  await until('heard', () => two.heard.length > 0);
  await connection.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'one'`,
  );
  await until('it listens again', () => one.heard.length >= 2);
  one.hints.send('cleared');
  await until('heard', () => two.heard.length > 1);
});

test('it closes where the database is away, and a second time', async () => {
  const url = placeOf('postgres://nobody@127.0.0.1:1/nothing').url as PostgresUrl;
  const hints = new PostgresHints(await connectionOptions({ url, sslCa: '' }, 'away'));
  hints.listen(() => {});
  hints.send('dirty');
  await hints.close();
  await hints.close();
});
