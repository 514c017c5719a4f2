import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { verifyDatabase } from '../../src/db/database.ts';
import { generate, patiently, settled } from '../domain/harness.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';
import { startPostgres } from '../support/postgres/server.ts';
import { startReplica } from './replica.ts';

test('PostgreSQL crashes under load and is started again: what was answered is there, once; service is back', async () => {
  const server = await startPostgres({ durable: true });
  onTestFinished(() => server.stop());
  const place = server.url();
  const replicas = [await startReplica(place), await startReplica(place)];
  const answered: number[] = [];
  const errors = new Set<string>();
  let next = 1;
  let stop = false;
  const caller = async (_: unknown, index: number) => {
    const { writer } = replicas[index % 2]!;
    while (!stop) {
      const id = next++;
      const { error } = await settled(writer.submit(generate(id), patiently()));
      if (error === undefined) answered.push(id);
      else errors.add(error);
      if (error !== undefined) await sleep(20);
    }
  };
  const callers = Promise.all(Array.from({ length: 32 }, caller));
  for (let round = 0; round < 2; round++) {
    const before = answered.length;
    while (answered.length < before + 200) await sleep(5);
    await server.crash();
    await sleep(200);
    await server.restart();
    const started = performance.now();
    const again = answered.length;
    while (answered.length === again) await sleep(5);
    expect(performance.now() - started).toBeLessThan(5_000);
  }
  stop = true;
  await callers;
  for (const error of errors) expect(['DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(error);
  const connection = await ENGINE.connect(place);
  const rows = await connection.query<{ id: number }>('SELECT element_id AS id FROM element');
  await connection.close();
  const there = new Set(rows.map(({ id }) => id));
  expect(answered.filter((id) => !there.has(id))).toEqual([]);
  expect(new Set(answered).size).toBe(answered.length);
  expect((await verifyDatabase(placeOf(place))).violations).toEqual([]);
}, 60_000);
