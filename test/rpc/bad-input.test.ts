import { beforeAll, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { DatabaseDump } from '../support/dump.ts';
import { sharedApp } from '../support/shared-app.ts';
import { call, METHODS, WIRES, type Wire } from '../support/wire.ts';
import { AT, BAD_MESSAGES, type Stage, USED_REQUEST_ID } from './bad-messages.ts';

const app = sharedApp();
let stage: Stage;

beforeAll(async () => {
  const ok = async (method: string, message: object) => {
    const reply = await call(app().url, 'connect-json', method, { ...AT, ...message });
    expect(reply.code, reply.message).toBe('OK');
    return reply.answer;
  };
  const generate = { elementId: '1', requestId: USED_REQUEST_ID };
  await ok('Generate', generate);
  await ok('BatchGenerate', { items: ['2', '3', '4', '5'].map((elementId) => ({ elementId })) });
  await ok('CreateVersion', { elementId: '3' });
  const before = await ok('ListVersions', { elementId: '3', pageSize: 1 });
  await ok('Remove', { elementId: '3' });
  await ok('Generate', { elementId: '3', position: 3 });
  await ok('Remove', { elementId: '4' });
  await ok('Generate', { elementId: '4', after: '3' });
  await ok('Move', { elementId: '4', last: true });
  await ok('Move', { elementId: '4', position: 4 });
  await ok('CreateVersion', { elementId: '3' });
  await ok('CreateVersion', { elementId: '2' });
  const { nextPageToken } = await ok('ListElements', { pageSize: 1 });
  stage = { elementsToken: String(nextPageToken), otherLifeToken: String(before['nextPageToken']) };
});

describe.each(WIRES)('%s', (wire: Wire) => {
  test.each(BAD_MESSAGES)('$method: $name', async ({ method, message, code, reason, fields, metadata }) => {
    const database = await DatabaseDump.open(app().file);
    const before = await database.everything();
    const reply = await call(
      app().url,
      wire,
      method,
      typeof message === 'function' ? message(stage) : message,
    );
    expect(reply.code, reply.message).toBe(code);
    expect(reply.info).toMatchObject({ reason, domain: 'sequence.fountain', metadata: metadata ?? {} });
    expect(reply.violations.map(({ field }) => field)).toEqual(fields ?? []);
    for (const { field, description } of reply.violations)
      expect(reply.message).toContain(`${field} ${description}`);
    expect(await database.everything()).toEqual(before);
  });

  test('TOO_MANY_RENUMBERED: elements and versions, by Generate, Move, Remove and Reorder', async () => {
    const { url, file } = await startApp({ MAX_RENUMBER: '3' });
    const items = Array.from({ length: 5 }, (_, i) => ({ elementId: `${i + 1}` }));
    await call(url, wire, 'BatchGenerate', { ...AT, items });
    for (let i = 0; i < 3; i++) await call(url, wire, 'CreateVersion', { ...AT, elementId: '5' });
    const database = await DatabaseDump.open(file);
    const before = await database.everything();
    for (const [method, message, metadata] of [
      ['Generate', { elementId: '9', position: 2 }, { elements: '4', limit: '3' }],
      ['Move', { elementId: '1', position: 4 }, { elements: '4', limit: '3' }],
      ['Remove', { elementId: '1' }, { elements: '4', limit: '3' }],
      ['Remove', { elementId: '5' }, { versions: '4', limit: '3' }],
      ['Reorder', { newOrder: ['4', '3', '2', '1'] }, { elements: '4', limit: '3' }],
    ] as const) {
      const reply = await call(url, wire, method, { ...AT, ...message } as never);
      expect(reply).toMatchObject({
        code: 'FAILED_PRECONDITION',
        info: { reason: 'TOO_MANY_RENUMBERED', metadata },
      });
    }
    expect(await database.everything()).toEqual(before);
    for (const [method, message] of [
      ['Generate', { elementId: '9', position: 3 }],
      ['Move', { elementId: '1', position: 3 }],
      ['Remove', { elementId: '1' }],
    ] as const)
      expect((await call(url, wire, method, { ...AT, ...message })).code).toBe('OK');
  });
});

test('every method has bad messages', () => {
  const covered = new Set(BAD_MESSAGES.map(({ method }) => method));
  expect(METHODS.filter((method) => !covered.has(method))).toEqual([]);
});
