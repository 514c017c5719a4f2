import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Fault } from '../support/typesense/faults.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { clientOf, createCollection, rejection } from './official-client.ts';
import { SCHEMA } from './typesense-asker.ts';

const one = { id: '1', title: 'one' };

async function ready() {
  const double = await startTypesense();
  const client = clientOf(double);
  await createCollection(client);
  return { double, client, documents: client.collections('c1').documents() };
}

describe('the first answer is lost, after the request was applied', () => {
  const lost: [string, Fault][] = [
    ['reset', { kind: 'reset', apply: 'now' }],
    ['hang', { kind: 'hang', apply: 'now' }],
  ];

  test.each(lost)('%s: create ends as ObjectAlreadyExists', async (_, fault) => {
    const { double, documents } = await ready();
    double.faults.next(fault);
    expect(await rejection(documents.create(one))).toMatchObject({ name: 'ObjectAlreadyExists' });
    expect(double.documents('c1')).toEqual([one]);
  });

  test.each(lost)('%s: collections().create too', async (_, fault) => {
    const { double, client } = await ready();
    double.faults.next(fault);
    const create = client.collections().create({ ...SCHEMA, name: 'c2' } as never);
    expect(await rejection(create)).toMatchObject({ name: 'ObjectAlreadyExists' });
    expect(double.store.has('c2')).toBe(true);
  });

  test.each(lost)('%s: delete ends as ObjectNotFound, unless that is ignored', async (_, fault) => {
    const { double, client, documents } = await ready();
    for (const options of [{}, { ignore_not_found: true }]) {
      await documents.upsert(one);
      double.faults.next(fault);
      const deleted = client.collections('c1').documents('1').delete(options);
      if ('ignore_not_found' in options) await deleted;
      else expect(await rejection(deleted)).toMatchObject({ name: 'ObjectNotFound' });
      expect(double.documents('c1')).toEqual([]);
    }
  });

  test('import with create: ImportError, its line has 409', async () => {
    const { double, documents } = await ready();
    double.faults.next({ kind: 'reset', apply: 'now' });
    const { name, importResults } = await rejection(documents.import([one], { action: 'create' }));
    expect([name, importResults]).toMatchObject(['ImportError', [{ code: 409, success: false }]]);
  });

  test('upsert: nothing is seen of it', async () => {
    const { double, documents } = await ready();
    double.faults.next({ kind: 'truncate' });
    expect(await documents.upsert(one)).toEqual(one);
    expect(double.documents('c1')).toEqual([one]);
  });

  test('importStream: the retry posts nothing', async () => {
    const { double, documents } = await ready();
    double.faults.next({ kind: 'reset', apply: 'now' });
    const stream = Readable.from([JSON.stringify(one)]);
    expect(await rejection(documents.importStream(stream as never))).toMatchObject({
      name: 'SyntaxError',
      message: 'Unexpected end of JSON input',
    });
    expect(double.log.to('import').map(({ documents: count }) => count)).toEqual([1, 0]);
    expect(double.documents('c1')).toEqual([one]);
  });
});

describe('import', () => {
  const two = { id: '2', title: 'two' };
  const bad = { id: '3' };

  test('a failed line: ImportError with every line; not so with throwOnFail: false', async () => {
    const { documents } = await ready();
    const failed = await rejection(documents.import([one, bad, two]));
    expect(failed).toMatchObject({ name: 'ImportError', httpStatus: undefined });
    expect(failed.message).toContain('2 documents imported successfully, 1 documents failed during import.');
    expect(failed.importResults).toMatchObject([{ success: true }, { code: 400 }, { success: true }]);
    const results = await documents.import([one, bad], { action: 'upsert', throwOnFail: false });
    expect(results).toMatchObject([{ success: true }, { success: false }]);
  });

  test('text in, text out, and no error for failed lines', async () => {
    const { documents } = await ready();
    expect(await documents.import(JSON.stringify(bad))).toContain('"success":false');
  });

  test('nothing to import is refused without a request', async () => {
    const { double, documents } = await ready();
    for (const nothing of [[], ''])
      expect(await rejection(documents.import(nothing as never))).toMatchObject({
        name: 'RequestMalformed',
        message: 'No documents provided',
      });
    expect(double.log.to('import')).toEqual([]);
  });

  test('fewer lines than documents pass unnoticed; an empty body does not', async () => {
    const { double, documents } = await ready();
    double.faults.next([
      { kind: 'fewer-lines' },
      { kind: 'answer', status: 200, body: '', headers: { 'content-type': 'text/plain; charset=utf-8' } },
    ]);
    expect(await documents.import([one, two])).toHaveLength(1);
    expect(double.documents('c1')).toHaveLength(2);
    const attempts = double.log.to('import').length;
    expect(await rejection(documents.import([one, two]))).toMatchObject({
      name: 'SyntaxError',
      message: 'Unexpected end of JSON input',
    });
    expect(double.log.to('import')).toHaveLength(attempts + 1);
  });

  test('a truncated body is retried, then ERR_BAD_RESPONSE; the lines are applied', async () => {
    const { double, documents } = await ready();
    double.faults.next([{ kind: 'truncate' }, { kind: 'truncate' }]);
    expect(await rejection(documents.import([one, two], { action: 'upsert' }))).toMatchObject({
      code: 'ERR_BAD_RESPONSE',
    });
    expect(double.documents('c1')).toHaveLength(2);
  });

  test('a missing collection: ObjectNotFound, with all the lines in it', async () => {
    const { client } = await ready();
    expect(await rejection(client.collections('none').documents().import([one, two]))).toMatchObject({
      name: 'ObjectNotFound',
      httpBody: `${JSON.stringify(one)}\n${JSON.stringify(two)}`,
    });
  });

  test('a hung import is never given up by the client', async () => {
    const { double, documents } = await ready();
    double.faults.next({ kind: 'hang' });
    const pending = documents.import([one]);
    const later = new Promise((resolve) => setTimeout(resolve, 700, 'still waiting'));
    expect(await Promise.race([pending, later])).toBe('still waiting');
    double.faults.always({ kind: 'reset' });
    await double.server.refuse();
    expect(await rejection(pending)).toMatchObject({ name: 'AxiosError' });
  });
});
