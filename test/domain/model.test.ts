import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SequenceKey } from '../../src/domain/model.ts';
import { Reader } from '../../src/domain/reader.ts';
import type { Write } from '../../src/domain/writes.ts';
import { command, fill } from './commands.ts';
import {
  EFFORT,
  openTestDatabase,
  patiently,
  type Result,
  settled,
  startWriter,
  type TestDatabase,
} from './harness.ts';
import { Model, type ModelSequence } from './model.ts';

const MAX_RENUMBERS = fc.constantFrom(3, 100_000);

/** Three sequences that no other run has used. */
let runs = 0;
function freshSequences(): [SequenceKey, SequenceKey, SequenceKey] {
  runs += 1;
  return [
    { scope: `run-${runs}`, elementType: 'script' },
    { scope: `run-${runs}`, elementType: 'spokenWord' },
    { scope: `other-${runs}`, elementType: 'script' },
  ];
}

test('one after another, writes are answered as the model answers them', async () => {
  const database = await openTestDatabase();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(command, fc.integer({ min: -3, max: 3 })), {
        minLength: 1,
        maxLength: 60,
        size: 'max',
      }),
      MAX_RENUMBERS,
      async (commands, maxRenumber) => {
        // Milliseconds; it also stands still and goes back.
        let clock = 1_700_000_000_000;
        const now = () => clock;
        const model = new Model(() => clock * 1_000, maxRenumber);
        const { writer } = startWriter(database.database.writer, { now, limits: { maxRenumber } });
        const sequences = freshSequences();
        const earlier: Write[] = [];
        for (const [{ sequence, toWrite }, step] of [[fill, 0] as const, ...commands]) {
          const key = sequences[sequence]!;
          const known = knownOf(model.sequence(key), earlier);
          const write = toWrite(key, known);
          clock += step;
          earlier.push(write);
          const answer = await settled(writer.submit(write, { ...patiently(), deadline: clock + 60_000 }));
          expect(answer, describe(write)).toEqual(model.apply(write));
        }
        await writer.close();
        for (const key of sequences) await expectSameState(database, key, model.sequence(key));
      },
    ),
    { numRuns: 60 * EFFORT },
  );
  expect(await database.verify()).toEqual([]);
}, 600_000);

test('many callers at once: the order of arrival is the order of effect', async () => {
  const database = await openTestDatabase();
  const calls = fc.array(fc.tuple(command, fc.nat(3)), { minLength: 1, maxLength: 12, size: 'max' });
  await fc.assert(
    fc.asyncProperty(
      fc.array(calls, { minLength: 2, maxLength: 12, size: 'max' }),
      fc.constantFrom(1, 3, 512),
      MAX_RENUMBERS,
      async (callers, maxBatch, maxRenumber) => {
        const clock = 1_700_000_000_000;
        const { writer } = startWriter(database.database.writer, {
          now: () => clock,
          limits: { maxRenumber, maxBatch },
        });
        const sequences = freshSequences();
        const log: Call[] = [];
        const inFlight = new Map<string, Call>();
        const seen = new Map(sequences.map((key) => [key.scope + key.elementType, nothingSeen()]));
        await Promise.all(
          callers.map(async (calls, caller) => {
            const first = caller === 0 ? [[fill, 0] as const] : [];
            for (const [{ sequence, toWrite }, turns] of [...first, ...calls]) {
              for (let turn = 0; turn <= turns; turn++) await nextTurn();
              const key = sequences[sequence]!;
              const view = seen.get(key.scope + key.elementType)!;
              const earlier = log.map(({ write }) => write);
              const write = toWrite(key, { ...view, elementIds: [...view.elementIds], earlier });
              const call: Call = { write, joins: undefined, result: undefined };
              const name = JSON.stringify([write.sequence, write.requestId, write.caller]);
              const running = write.requestId === undefined ? undefined : inFlight.get(name);
              if (running === undefined || running.result !== undefined) inFlight.set(name, call);
              else if (sameRequest(running.write, write)) call.joins = running;
              log.push(call);
              call.result = await settled(writer.submit(write, { ...patiently(), deadline: clock + 60_000 }));
              look(view, write, call.result);
            }
          }),
        );
        await writer.close();

        const model = new Model(() => clock * 1_000, maxRenumber);
        const expected = new Map<Call, Result>();
        for (const call of log) {
          const outcome = call.joins ? expected.get(call.joins)! : model.apply(call.write);
          expected.set(call, outcome);
          expect(call.result, describe(call.write)).toEqual(outcome);
        }
        for (const key of sequences) await expectSameState(database, key, model.sequence(key));
      },
    ),
    { numRuns: 60 * EFFORT },
  );
  expect(await database.verify()).toEqual([]);
}, 600_000);

/** A write that a caller has submitted. */
interface Call {
  readonly write: Write;
  /** The equal one that was in flight already, whose outcome this one shares. */
  joins: Call | undefined;
  result: Result | undefined;
}

/** What the callers of a sequence have been told; it may be out of date. */
function nothingSeen() {
  return { elementIds: new Set<number>(), revision: 0, orderRevision: 0 };
}

function look(view: ReturnType<typeof nothingSeen>, write: Write, { answer }: Result): void {
  if (answer === undefined) return;
  if (write.kind === 'generate') view.elementIds.add(write.elementId);
  if (write.kind === 'remove') view.elementIds.delete(write.elementId);
  if (write.kind === 'batch_generate') for (const item of write.items) view.elementIds.add(item.elementId);
  const { revision, orderRevision } = answer as { revision: number; orderRevision: number };
  view.revision = Math.max(view.revision, revision);
  view.orderRevision = Math.max(view.orderRevision, orderRevision);
}

function sameRequest(a: Write, b: Write): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function knownOf({ elements, revision, orderRevision }: ModelSequence, earlier: readonly Write[]) {
  return { elementIds: elements.map(({ elementId }) => elementId), revision, orderRevision, earlier };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function describe(write: Write): string {
  return JSON.stringify(write);
}

const NO_PAGE = { pageSize: 0, pageToken: '', includeContent: true };

/** Reads everything of a sequence, as callers do and as rows, and compares it with the model. */
async function expectSameState(test: TestDatabase, key: SequenceKey, model: ModelSequence): Promise<void> {
  const reader = new Reader(test.database.reads);
  const { revision, orderRevision, elements } = model;
  const counters = { size: elements.length, revision, orderRevision };
  expect(await reader.getSequence(key)).toEqual(counters);

  const expected = elements.map((element, index) => {
    const { versionNumber, comment, content, createTime: updateTime } = element.versions.at(-1)!;
    const { elementId, createTime } = element;
    return { elementId, sequenceNumber: index + 1, versionNumber, comment, content, createTime, updateTime };
  });
  for (const includeContent of [true, false]) {
    const listed = [];
    let pageToken = '';
    do {
      const page = await reader.listElements(key, 0, { pageSize: 3, pageToken, includeContent });
      expect(page).toMatchObject(counters);
      expect(page.elements.length).toBe(Math.min(3, elements.length - listed.length));
      listed.push(...page.elements);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(listed).toMatchObject(
      expected.map((element) => (includeContent ? element : { ...element, content: null })),
    );
    expect(listed.length).toBe(expected.length);
  }

  for (const [index, { elementId, versions }] of elements.entries()) {
    expect(await reader.getElement(key, elementId)).toEqual(expected[index]);
    const newestFirst = versions
      .map((version) => ({ ...version, sequenceNumber: version.sequenceNumber ?? index + 1 }))
      .toReversed();
    const listed = [];
    let pageToken = '';
    do {
      const page = await reader.listVersions(key, elementId, { ...NO_PAGE, pageSize: 2, pageToken });
      listed.push(...page.versions);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(listed).toMatchObject(newestFirst);
    expect(listed.length).toBe(newestFirst.length);
    for (const version of newestFirst)
      expect(await reader.getVersion(key, elementId, version.versionNumber)).toEqual(version);
    const beyond = reader.getVersion(key, elementId, versions.length + 1);
    expect(await settled(beyond)).toEqual({ error: 'VERSION_NOT_FOUND' });
  }
  expect(await settled(reader.getElement(key, 99))).toEqual({ error: 'ELEMENT_NOT_FOUND' });
  expect(await settled(reader.getVersion(key, 99, 1))).toEqual({ error: 'ELEMENT_NOT_FOUND' });
  expect(await settled(reader.listVersions(key, 99, NO_PAGE))).toEqual({ error: 'ELEMENT_NOT_FOUND' });

  const where = `sequence_id = (SELECT id FROM sequence WHERE scope = ? AND element_type = ?)`;
  const dirty = await test.query<{ id: string; since: number; wanted: number }>(
    `SELECT element_id || '/' || version_number AS id, since_revision AS since, wanted_revision AS wanted
      FROM dirty_document WHERE ${where}`,
    [key.scope, key.elementType],
  );
  expect(new Map(dirty.map(({ id, ...range }) => [id, range]))).toEqual(model.dirty);
  const changes = await test.query(
    `SELECT revision, change_time AS "changeTime", kind, comment, caller, request_id AS "requestId"
      FROM change WHERE ${where} ORDER BY change_time`,
    [key.scope, key.elementType],
  );
  expect(changes).toEqual(model.changes);
}
