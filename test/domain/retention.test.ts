import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { Retention } from '../../src/domain/retention.ts';
import { ENGINE } from '../engines/index.ts';
import { startAppOn } from '../support/app.ts';
import { h1Caller } from '../support/caller.ts';
import { capturedLog } from '../support/log-lines.ts';
import { until } from '../support/until.ts';
import {
  createVersion,
  generate,
  move,
  openTestDatabase,
  patiently,
  SCENES,
  SCRIPTS,
  settled,
  startWriter,
} from './harness.ts';

const DAY = 86_400_000;

/** A database whose clock the test sets, with its writer and a retention of two days. */
async function started() {
  const db = await openTestDatabase();
  const clock = { now: Date.now() - 100 * DAY };
  const now = () => clock.now;
  const { writer } = startWriter(db.database.writer, { now });
  const retention = new Retention({
    writer,
    keepMs: 2 * DAY,
    now,
    onDeleted: () => {},
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => retention.stop());
  const revisions = async (scope: typeof SCRIPTS) =>
    (
      await db.query<{ revision: number }>(
        `SELECT c.revision FROM change c JOIN sequence s ON s.id = c.sequence_id
         WHERE s.element_type = '${scope.elementType}' ORDER BY c.revision, c.change_time`,
      )
    ).map(({ revision }) => revision);
  const submit = (write: Parameters<typeof writer.submit>[0]) =>
    settled(writer.submit(write, { ...patiently(), deadline: clock.now + 60_000 }));
  return { db, clock, retention, revisions, submit };
}

test('old change rows go, of every sequence; the newest of each and those within the time stay', async () => {
  const { db, clock, retention, revisions, submit } = await started();
  for (let id = 1; id <= 5; id++) await submit(generate(id));
  for (let id = 1; id <= 3; id++) await submit(generate(id, { sequence: SCENES }));
  clock.now += 1.5 * DAY;
  for (let id = 6; id <= 7; id++) await submit(generate(id));
  expect(await retention.drainOnce()).toBe(0);
  clock.now += DAY;
  expect(await retention.drainOnce()).toBe(5 + 2);
  expect(await revisions(SCRIPTS)).toEqual([6, 7]);
  expect(await revisions(SCENES)).toEqual([3]);
  clock.now += 50 * DAY;
  expect(await retention.drainOnce()).toBe(1);
  expect(await revisions(SCRIPTS)).toEqual([7]);
  expect(await retention.drainOnce()).toBe(0);
  expect(await db.verify()).toEqual([]);
  // And on it goes where it was.
  expect(await submit(createVersion(1))).toMatchObject({ answer: { revision: 8 } });
});

test('a request id is recognised as long as its row is kept, also of a write that changed nothing', async () => {
  const { clock, retention, submit } = await started();
  const [made, unchanged] = [randomUUID(), randomUUID()];
  const first = await submit(generate(1, { requestId: made }));
  await submit(generate(2));
  const still = move(1, { at: 'first' }, { requestId: unchanged });
  const second = await submit(still);
  clock.now += 1.9 * DAY;
  await retention.drainOnce();
  expect(await submit(generate(1, { requestId: made }))).toEqual(first);
  expect(await submit(still)).toEqual(second);
  clock.now += DAY;
  await retention.drainOnce();
  expect(await submit(generate(1, { requestId: made }))).toEqual({ error: 'ELEMENT_EXISTS' });
});

test('more than one transaction takes are deleted all the same', async () => {
  const { clock, retention, revisions, submit } = await started();
  await Promise.all(Array.from({ length: 700 }, (_, index) => submit(generate(index + 1))));
  clock.now += 3 * DAY;
  expect(await retention.drainOnce()).toBe(699);
  expect(await revisions(SCRIPTS)).toEqual([700]);
});

test('a service that is told to does it by itself', async () => {
  const { log, lines } = capturedLog();
  const first = await startAppOn(await ENGINE.newPlace());
  const call = h1Caller(first.port);
  for (let elementId = 1; elementId <= 3; elementId++)
    expect(await call('Generate', { elementType: 'ELEMENT_TYPE_SCRIPT', elementId })).toMatchObject({
      status: 200,
    });
  await first.app.stop();
  const later = Date.now() + 3 * DAY;
  await startAppOn(first.file, { CHANGE_RETENTION: '48h' }, { log, now: () => later });
  await until('they are gone', () =>
    lines.some(({ msg, count }) => msg === 'old change rows were deleted' && count === 2),
  );
});
