import type { JsonObject } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { startApp, startAppOn } from '../support/app.ts';
import { call, WIRES } from '../support/wire.ts';

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
const ID = '0b0e4c3e-5a52-4b39-9f0a-6f3a54b7c00';
const content = { b: 1, a: { d: [1], c: null } };

/** One of each write, in an order in which all succeed. */
const WRITES: readonly [string, JsonObject][] = [
  ['Generate', { elementId: '1', content, comment: 'c' }],
  ['BatchGenerate', { items: [{ elementId: '2', content }, { elementId: '3' }] }],
  ['Reorder', { newOrder: ['3', '1'], comment: 'r' }],
  ['Move', { elementId: '2', last: true }],
  ['CreateVersion', { elementId: '2', content, expectedVersion: 1 }],
  ['Remove', { elementId: '1' }],
];
const requests = WRITES.map(([method, message], i) => ({
  method,
  message: { ...AT, ...message, requestId: `${ID}${i}` },
}));

async function answersOf(url: string, wire: (typeof WIRES)[number]): Promise<JsonObject[]> {
  const answers: JsonObject[] = [];
  for (const { method, message } of requests) {
    const reply = await call(url, wire, method, message);
    expect(reply.code, `${method}: ${reply.message}`).toBe('OK');
    answers.push(reply.answer);
  }
  return answers;
}

test('each write repeated: the first answer, and nothing changed, in every protocol, also after a restart', async () => {
  const first = await startApp();
  const answers = await answersOf(first.url, 'connect-json');
  const state = (url: string) => call(url, 'connect-json', 'ListElements', AT).then(({ answer }) => answer);
  const before = await state(first.url);
  for (const wire of WIRES) expect(await answersOf(first.url, wire)).toEqual(answers);
  expect(await state(first.url)).toEqual(before);
  await first.app.stop();
  const second = await startAppOn(first.file);
  expect(await answersOf(second.url, 'grpc')).toEqual(answers);
  expect(await state(second.url)).toEqual(before);
});

test('the id’s case, the order of content’s keys and the way to say a default make no other request', async () => {
  const { url } = await startApp();
  const { message } = requests[0]!;
  const { answer } = await call(url, 'connect-json', 'Generate', message);
  const reordered = { a: { c: null, d: [1] }, b: 1 };
  const same = { ...message, requestId: message.requestId.toUpperCase(), content: reordered };
  expect((await call(url, 'connect-json', 'Generate', same)).answer).toEqual(answer);
});

test.each([
  ['a comment', { comment: 'other' }],
  ['content', { content: { b: 2 } }],
  ['no content', { content: undefined }],
  ['a target', { last: true }],
  ['an expected revision', { expectedRevision: '0' }],
  ['an element', { elementId: '99' }],
])('another request under the same id is refused: %s', async (_, change) => {
  const { url } = await startApp();
  const { message } = requests[0]!;
  await call(url, 'connect-json', 'Generate', message);
  const other = JSON.parse(JSON.stringify({ ...message, ...change })) as JsonObject;
  const reply = await call(url, 'connect-json', 'Generate', other);
  expect(reply).toMatchObject({ code: 'INVALID_ARGUMENT', info: { reason: 'REQUEST_ID_REUSED' } });
});

test('concurrent equal requests: one write, one answer for all', async () => {
  const { url } = await startApp();
  const { message } = requests[0]!;
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) => call(url, WIRES[i % WIRES.length]!, 'Generate', message)),
  );
  for (const reply of replies) {
    expect(reply.code, reply.message).toBe('OK');
    expect(reply.answer).toEqual(replies[0]!.answer);
  }
  expect((await call(url, 'grpc', 'GetSequence', AT)).answer).toMatchObject({ size: 1, revision: '1' });
});

test('an id belongs to its sequence', async () => {
  const { url } = await startApp();
  const { message } = requests[0]!;
  for (const more of [{ scope: 'a' }, { scope: 'b' }, { scope: 'a', elementType: 'ELEMENT_TYPE_ACTION' }])
    expect((await call(url, 'grpc', 'Generate', { ...message, ...more })).answer).toMatchObject({
      sequenceNumber: 1,
    });
});

test('failures are not remembered; a success stays, though a new try would fail now', async () => {
  const { url } = await startApp();
  const remove = { ...AT, elementId: '1', requestId: `${ID}9` };
  expect((await call(url, 'grpc', 'Remove', remove)).code).toBe('NOT_FOUND');
  await call(url, 'grpc', 'Generate', { ...AT, elementId: '1' });
  const removed = await call(url, 'grpc', 'Remove', remove);
  expect(removed.code).toBe('OK');
  expect((await call(url, 'grpc', 'Remove', remove)).answer).toEqual(removed.answer);
});
