import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { detailsOf, grpcClient } from '../support/grpc-client.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { sharedApp } from '../support/shared-app.ts';
import { pathOf } from '../support/wire.ts';
import { GrpcHealthClient } from './health/grpc-client.ts';

const run = promisify(execFile);
const BUF = new URL('../../node_modules/.bin/buf', import.meta.url).pathname;
const SCRIPT = { scope: 'play', element_type: 'ELEMENT_TYPE_SCRIPT' };

describe('grpc-js', () => {
  test('every RPC', async () => {
    const { url } = await startApp();
    const client = grpcClient(url);
    // proto-loader spells fields in camelCase, 64-bit numbers as strings.
    const at = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
    const content = { fields: { title: { stringValue: 'Act I' } } };
    expect(await client.generate({ ...at, elementId: '1', comment: 'c', content })).toMatchObject({
      sequenceNumber: 1,
      comment: 'c',
      revision: '1',
      orderRevision: '1',
      element: {
        scope: 'play',
        elementType: 'ELEMENT_TYPE_SCRIPT',
        elementId: '1',
        versionNumber: 1,
        content: null,
      },
    });
    const items = [{ elementId: '2' }, { elementId: '9007199254740991' }];
    expect(await client.batchGenerate({ ...at, items })).toMatchObject({
      elements: [
        { elementId: '2', sequenceNumber: 2 },
        { elementId: '9007199254740991', sequenceNumber: 3 },
      ],
      revision: '2',
    });
    expect(await client.reorder({ ...at, newOrder: ['2', '1'], elementIds: ['1', '2'] })).toMatchObject({
      reorderedElements: [
        { elementId: '2', oldSequenceNumber: 2, newSequenceNumber: 1 },
        { elementId: '1', oldSequenceNumber: 1, newSequenceNumber: 2 },
      ],
      revision: '3',
    });
    expect(await client.move({ ...at, elementId: '9007199254740991', first: true })).toMatchObject({
      oldSequenceNumber: 3,
      newSequenceNumber: 1,
      shifted: { first: 1, last: 2, by: 1 },
    });
    expect(await client.createVersion({ ...at, elementId: '1', comment: 'd' })).toMatchObject({
      versionNumber: 2,
      sequenceNumber: 3,
      revision: '5',
      orderRevision: '4',
    });
    expect(await client.remove({ ...at, elementId: '2' })).toMatchObject({
      oldSequenceNumber: 2,
      shifted: { first: 3, last: 3, by: -1 },
    });
    expect(await client.getElement({ ...at, elementId: '1' })).toMatchObject({
      element: { comment: 'd', versionNumber: 2, sequenceNumber: 2, content: null },
    });
    expect(await client.getVersion({ ...at, elementId: '1', versionNumber: 1 })).toMatchObject({
      version: { comment: 'c', content: { fields: { title: { stringValue: 'Act I' } } } },
    });
    expect(await client.listElements(at)).toMatchObject({ totalSize: 2, nextPageToken: '' });
    expect(await client.listVersions({ ...at, elementId: '1' })).toMatchObject({
      versions: [{ versionNumber: 2 }, { versionNumber: 1 }],
    });
    expect(await client.getSequence(at)).toEqual({
      size: 2,
      nextSequenceNumber: 3,
      revision: '6',
      orderRevision: '6',
    });
  });

  test('error details', async () => {
    const { url } = await startApp();
    const failed = grpcClient(url).generate({ scope: '?', elementId: '0', elementType: 1 });
    const error = await failed.then(
      () => undefined,
      (thrown: grpc.ServiceError) => thrown,
    );
    expect(error).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      details: expect.stringContaining('scope must'),
    });
    const { info, violations } = detailsOf(error!);
    expect(info).toMatchObject({ reason: 'INVALID_FIELD', domain: 'sequence.fountain' });
    expect(violations.map(({ field }) => field)).toEqual(['scope', 'element_id']);
  });

  test('a deadline, and a call that is cancelled', async () => {
    const { url } = await startApp();
    const client = grpcClient(url);
    const items = Array.from({ length: 1_000 }, (_, i) => ({ elementId: i + 1 }));
    const late = client.batchGenerate({ elementType: 1, items }, { deadline: Date.now() + 3 });
    await expect(late).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
    const { port } = new URL(url);
    const health = new GrpcHealthClient(Number(port));
    const watch = health.watch('');
    await expect.poll(() => watch.told).toEqual(['SERVING']);
    watch.cancel();
    expect((await watch.ended).code).toBe(grpc.status.CANCELLED);
    health.close();
    const key =
      'sequence_rpc_duration_seconds_count{method="grpc.health.v1.Health/Watch",code="CANCELLED",protocol="grpc"}';
    await expect.poll(async () => (await metricsOf(url)).get(key)).toBe(1);
  });

  test('health: Check, List, and a Watch that hears of the stop', async () => {
    const { app, port } = await startApp({ DRAIN_DELAY: '200ms' });
    const client = new GrpcHealthClient(port);
    const service = 'fountain.sequence.v1.SequenceService';
    expect(await client.check(service)).toEqual({ status: 'SERVING' });
    expect((await client.list()).statuses).toMatchObject({
      '': { status: 'SERVING' },
      [service]: { status: 'SERVING' },
    });
    await expect(client.check('nobody')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
    const watch = client.watch(service);
    await expect.poll(() => watch.told).toEqual(['SERVING']);
    const stopped = app.stop();
    expect((await watch.ended).code).toBe(grpc.status.UNAVAILABLE);
    expect(watch.told).toEqual(['SERVING', 'NOT_SERVING']);
    expect(await stopped).toBe(true);
    client.close();
  });
});

describe('buf curl, which has the schema by reflection alone', () => {
  const app = sharedApp();
  const bufCurl = (method: string, message: object, ...flags: string[]) =>
    run(BUF, [
      'curl',
      '--http2-prior-knowledge',
      ...flags,
      '-d',
      JSON.stringify(message),
      `${app().url}${pathOf(method)}`,
    ]);

  test.each([
    ['grpc', 'grpc-v1', '1'],
    ['grpc', 'grpc-v1alpha', '2'],
    ['grpcweb', 'grpc-v1', '3'],
    ['connect', 'grpc-v1', '4'],
  ])('--protocol %s --reflect-protocol %s', async (protocol, reflect, id) => {
    const flags = ['--protocol', protocol, '--reflect-protocol', reflect];
    const { stdout } = await bufCurl('Generate', { ...SCRIPT, element_id: id }, ...flags);
    expect(JSON.parse(stdout)).toMatchObject({ sequenceNumber: Number(id), element: { elementId: id } });
    const failed = bufCurl('Generate', { ...SCRIPT, element_id: id }, ...flags);
    const { stderr } = await failed.then(
      () => ({ stderr: '' }),
      (error: { stderr: string }) => error,
    );
    const error = JSON.parse(stderr) as { code: string; details: { type: string; value: string }[] };
    expect(error).toMatchObject({ code: 'already_exists', details: [{ type: 'google.rpc.ErrorInfo' }] });
    const value = Buffer.from(error.details[0]!.value, 'base64').toString();
    expect(value).toMatch(/ELEMENT_EXISTS.*sequence\.fountain/s);
  });

  test('--list-methods', async () => {
    const { stdout } = await run(BUF, ['curl', '--http2-prior-knowledge', '--list-methods', app().url]);
    expect(stdout).toContain('fountain.sequence.v1.SequenceService/Generate');
    expect(stdout).toContain('grpc.health.v1.Health/Watch');
  });
});

describe('curl', () => {
  const app = sharedApp();
  const curl = async (...args: string[]) => {
    const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code} %{http_version}', ...args]);
    const [body, outcome] = stdout.split(/\n(?=[^\n]*$)/);
    return { body: body === '' ? undefined : (JSON.parse(body!) as unknown), outcome };
  };
  const post = ['-H', 'content-type: application/json', '-d'];

  test('POST over HTTP/1.1', async () => {
    const message = JSON.stringify({ ...SCRIPT, element_id: 7 });
    const { body, outcome } = await curl('--http1.1', ...post, message, `${app().url}${pathOf('Generate')}`);
    expect(outcome).toBe('200 1.1');
    expect(body).toMatchObject({ sequenceNumber: 1, element: { elementId: '7' } });
  });

  test('POST over cleartext HTTP/2', async () => {
    const message = JSON.stringify({ ...SCRIPT, elementId: '8' });
    const { body, outcome } = await curl(
      '--http2-prior-knowledge',
      ...post,
      message,
      `${app().url}${pathOf('Generate')}`,
    );
    expect(outcome).toBe('200 2');
    expect(body).toMatchObject({ sequenceNumber: 2 });
  });

  const query = (message: object) =>
    `?connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify(message))}`;

  test.each(['--http1.1', '--http2-prior-knowledge'])('GET of a read, %s', async (version) => {
    const { body, outcome } = await curl(
      version,
      `${app().url}${pathOf('GetElement')}${query({ ...SCRIPT, elementId: '7' })}`,
    );
    expect(outcome).toMatch(/^200/);
    expect(body).toMatchObject({ element: { elementId: '7', sequenceNumber: 1 } });
  });

  test('GET of a read that fails, with its details; GET of a write, refused', async () => {
    const missing = await curl(`${app().url}${pathOf('GetElement')}${query({ ...SCRIPT, elementId: '77' })}`);
    expect(missing).toMatchObject({ outcome: '404 1.1', body: { code: 'not_found' } });
    const invalid = await curl(`${app().url}${pathOf('GetElement')}${query({ ...SCRIPT, elementId: '0' })}`);
    expect(invalid).toMatchObject({
      outcome: '400 1.1',
      body: { code: 'invalid_argument', details: [{ debug: { reason: 'INVALID_FIELD' } }, {}] },
    });
    const unreadable = await curl(`${app().url}${pathOf('GetElement')}?connect=v1&encoding=json&message=%7B`);
    expect(unreadable).toMatchObject({ outcome: '400 1.1', body: { code: 'invalid_argument' } });
    const write = await curl(`${app().url}${pathOf('Generate')}${query({ ...SCRIPT, elementId: '9' })}`);
    expect(write.outcome).toBe('405 1.1');
  });
});
