import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { type RunningApp, startApp } from '../support/app.ts';
import { readContract } from '../support/contract.ts';
import { differenceFrom, exampleOf } from '../support/contract-examples.ts';
import { call, WIRES } from '../support/wire.ts';

const methods = readContract().methods.filter(({ service }) => service === 'SequenceService');
const SCRIPT = { elementType: 'ELEMENT_TYPE_SCRIPT' };

async function ok({ url }: RunningApp, method: string, message: JsonObject): Promise<JsonObject> {
  const reply = await call(url, 'connect-json', method, message);
  expect(reply.code, reply.message).toBe('OK');
  return reply.answer;
}

/** The ids of a sequence in its order, after making sure that its numbers are 1..n. */
async function order(app: RunningApp, sequence: JsonObject = SCRIPT): Promise<number[]> {
  const { elements = [] } = await ok(app, 'ListElements', sequence);
  const list = elements as { elementId: string; sequenceNumber: number }[];
  expect(list.map(({ sequenceNumber }) => sequenceNumber)).toEqual(list.map((_, i) => i + 1));
  return list.map(({ elementId }) => Number(elementId));
}

async function generate(app: RunningApp, ...ids: number[]): Promise<void> {
  for (const elementId of ids) await ok(app, 'Generate', { ...SCRIPT, elementId: String(elementId) });
}

describe('the example of', () => {
  // What each example says, or implies, to be there before it.
  const before: Readonly<Record<string, (app: RunningApp) => Promise<void>>> = {
    Reorder: (app) => generate(app, 1, 4, 2, 3, 5, 6, 9),
    Move: (app) => generate(app, 5, 6, 7),
    CreateVersion: (app) => generate(app, 7),
    Remove: (app) => generate(app, 5, 6, 7),
    GetElement: (app) => generate(app, 7),
    GetVersion: (app) => generate(app, 7),
    ListElements: (app) => generate(app, 1, 2, 3),
    ListVersions: async (app) => {
      await generate(app, 7);
      await ok(app, 'CreateVersion', { ...SCRIPT, elementId: '7' });
    },
    GetSequence: (app) => generate(app, 1, 2, 3),
  };

  test.each(methods)('$name', async ({ name, comment }) => {
    const app = await startApp();
    await before[name]?.(app);
    const [request, expected] = exampleOf(comment);
    const answer = await ok(app, name, request!);
    // Reorder's and BatchGenerate's examples tell the outcome in words.
    if (name === 'Reorder') expect(await order(app)).toEqual([1, 9, 2, 3, 5, 6, 4]);
    else if (name === 'BatchGenerate')
      expect(answer['elements']).toMatchObject([
        { elementId: '1', sequenceNumber: 1 },
        { elementId: '2', sequenceNumber: 2 },
      ]);
    else expect(differenceFrom(expected!, answer)).toBeUndefined();
  });
});

describe('Generate', () => {
  test.each([
    ['at the end', {}, [1, 2, 3, 9]],
    ['last', { last: true }, [1, 2, 3, 9]],
    ['first', { first: true }, [9, 1, 2, 3]],
    ['before', { before: '2' }, [1, 9, 2, 3]],
    ['after', { after: '2' }, [1, 2, 9, 3]],
    ['at position 2', { position: 2 }, [1, 9, 2, 3]],
    ['at position n+1', { position: 4 }, [1, 2, 3, 9]],
  ] as const)('%s', async (_, target, expected) => {
    const app = await startApp();
    await generate(app, 1, 2, 3);
    const answer = await ok(app, 'Generate', { ...SCRIPT, elementId: '9', ...target });
    expect(answer['sequenceNumber']).toBe(expected.indexOf(9) + 1);
    expect(await order(app)).toEqual(expected);
  });
});

describe('Move', () => {
  test.each([
    ['first', { first: true }, [3, 1, 2, 4, 5], { first: 1, last: 2, by: 1 }],
    ['last', { last: true }, [1, 2, 4, 5, 3], { first: 4, last: 5, by: -1 }],
    ['before one behind it', { before: '5' }, [1, 2, 4, 3, 5], { first: 4, last: 4, by: -1 }],
    ['after one ahead of it', { after: '1' }, [1, 3, 2, 4, 5], { first: 2, last: 2, by: 1 }],
    ['to a position', { position: 5 }, [1, 2, 4, 5, 3], { first: 4, last: 5, by: -1 }],
    ['to where it is', { position: 3 }, [1, 2, 3, 4, 5], undefined],
    ['before its next', { before: '4' }, [1, 2, 3, 4, 5], undefined],
  ] as const)('%s', async (_, target, expected, shifted) => {
    const app = await startApp();
    await generate(app, 1, 2, 3, 4, 5);
    const answer = await ok(app, 'Move', { ...SCRIPT, elementId: '3', ...target });
    expect(await order(app)).toEqual(expected);
    // A move to the place that it has changes nothing and adds no revision.
    const revision = shifted === undefined ? '5' : '6';
    expect(answer).toEqual({
      oldSequenceNumber: 3,
      newSequenceNumber: expected.indexOf(3) + 1,
      ...(shifted && { shifted }),
      revision,
      orderRevision: revision,
    });
  });
});

test('Reorder: only what changed is answered, in the order asked; what keeps its place is not, nor counted', async () => {
  const app = await startApp();
  await generate(app, 1, 2, 3);
  expect(await ok(app, 'Reorder', { ...SCRIPT, newOrder: ['3', '2', '1'], comment: 'x' })).toEqual({
    reorderedElements: [
      { elementId: '3', oldSequenceNumber: 3, newSequenceNumber: 1 },
      { elementId: '1', oldSequenceNumber: 1, newSequenceNumber: 3 },
    ],
    comment: 'x',
    revision: '4',
    orderRevision: '4',
  });
  expect(await ok(app, 'Reorder', { ...SCRIPT, newOrder: ['3', '2', '1'] })).toEqual({
    revision: '4',
    orderRevision: '4',
  });
});

test('CreateVersion: a version is a whole state, and a replaced one keeps the number it had', async () => {
  const app = await startApp();
  await generate(app, 1);
  await ok(app, 'Generate', { ...SCRIPT, elementId: '2', comment: 'one', content: { a: 1 } });
  const second = { ...SCRIPT, elementId: '2', comment: 'two', expectedVersion: 1 };
  expect(await ok(app, 'CreateVersion', second)).toMatchObject({
    versionNumber: 2,
    sequenceNumber: 2,
    revision: '3',
    orderRevision: '2',
  });
  await ok(app, 'Move', { ...SCRIPT, elementId: '2', first: true });
  const versions = await ok(app, 'ListVersions', { ...SCRIPT, elementId: '2', includeContent: true });
  expect(versions['versions']).toMatchObject([
    { versionNumber: 2, sequenceNumber: 1, comment: 'two' },
    { versionNumber: 1, sequenceNumber: 2, comment: 'one', content: { a: 1 } },
  ]);
  expect((versions['versions'] as JsonObject[])[0]).not.toHaveProperty('content');
});

test('Remove and Generate again: a new life, with version 1 and a later create_time', async () => {
  const app = await startApp({}, { now: () => 1_000_000 });
  await generate(app, 1, 2);
  await ok(app, 'CreateVersion', { ...SCRIPT, elementId: '1' });
  const first = await ok(app, 'GetElement', { ...SCRIPT, elementId: '1' });
  expect(await ok(app, 'Remove', { ...SCRIPT, elementId: '1' })).toMatchObject({
    oldSequenceNumber: 1,
    shifted: { first: 2, last: 2, by: -1 },
  });
  await generate(app, 1);
  const again = await ok(app, 'GetElement', { ...SCRIPT, elementId: '1' });
  expect(again['element']).toMatchObject({ versionNumber: 1, sequenceNumber: 2 });
  // Without the Z, a whole second sorts before its fractions.
  const time = (answer: JsonObject) =>
    String((answer['element'] as JsonObject)['createTime']).replace('Z', '');
  expect(time(again) > time(first)).toBe(true);
  expect(await ok(app, 'Remove', { ...SCRIPT, elementId: '1' })).not.toHaveProperty('shifted');
});

test('scopes and types are apart; an empty scope is "default"; a sequence once used is not forgotten', async () => {
  const app = await startApp();
  await generate(app, 7);
  await ok(app, 'Generate', { elementType: 'ELEMENT_TYPE_SECTION', elementId: '7' });
  await ok(app, 'Generate', { ...SCRIPT, scope: 'other', elementId: '7' });
  expect(await order(app, { ...SCRIPT, scope: 'default' })).toEqual([7]);
  await ok(app, 'Remove', { ...SCRIPT, elementId: '7' });
  const sequence = await ok(app, 'GetSequence', SCRIPT);
  expect(sequence).toEqual({ nextSequenceNumber: 1, revision: '2', orderRevision: '2' });
  expect(await ok(app, 'GetSequence', { ...SCRIPT, scope: 'unused' })).toEqual({ nextSequenceNumber: 1 });
  expect(await ok(app, 'ListElements', { ...SCRIPT, scope: 'unused' })).toEqual({});
});

test('expected_revision: CreateVersion does not disturb it, a change of order does, 0 is the untouched sequence', async () => {
  const app = await startApp();
  const expecting = (revision: number, more: JsonObject) =>
    call(app.url, 'connect-json', 'Generate', { ...SCRIPT, expectedRevision: String(revision), ...more });
  expect((await expecting(0, { elementId: '1' })).code).toBe('OK');
  expect((await expecting(0, { elementId: '2' })).code).toBe('ABORTED');
  await ok(app, 'CreateVersion', { ...SCRIPT, elementId: '1' });
  expect((await expecting(1, { elementId: '2' })).code).toBe('OK');
  expect((await expecting(2, { elementId: '3' })).code).toBe('ABORTED');
  expect((await expecting(3, { elementId: '3' })).code).toBe('OK');
});

test('promise 1, over the wire: concurrent callers of all protocols get 1..n', async () => {
  const app = await startApp();
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      call(app.url, WIRES[i % 4]!, 'Generate', { ...SCRIPT, elementId: String(i + 1) }),
    ),
  );
  const numbers = replies.map(({ answer }) => Number(answer['sequenceNumber']));
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});
