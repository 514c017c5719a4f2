import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { type Installation, installPackage, installPackageWithNpm } from './installed.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

let installed: Installation;
beforeAll(async () => {
  installed = await (process.env['LONG'] === '1' ? installPackageWithNpm() : installPackage());
}, 300_000);
afterAll(() => installed?.remove());

/** The program in docs/clients.md, for this service and protocol. */
function documented(url: string, protocol: string): string {
  const page = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
  const [, program] = /```js\n(.*?)```/s.exec(page)!;
  const given = program!.replace("url: 'http://localhost:8080'", `url: '${url}', protocol: '${protocol}'`);
  expect(given).not.toBe(program);
  return given;
}

const DOCUMENTED_OUTPUT = ['number 1', 'already there, at number 1', 'To be, or not to be'].join('\n');

describe('the packed tarball', () => {
  test('has what a caller needs and nothing of the service', () => {
    const own = /^(client\/dist|gen\/(fountain|google)|proto)\//;
    expect(installed.files.filter((file) => !own.test(file))).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'docs/clients.md',
      'package.json',
    ]);
    const sources = readdirSync(join(ROOT, 'client/src')).map((file) => file.replace(/\.ts$/, ''));
    const built = installed.files.filter((file) => file.startsWith('client/dist/'));
    expect(built).toEqual(
      sources.flatMap((name) => [`client/dist/${name}.d.ts`, `client/dist/${name}.js`]).toSorted(),
    );
  });

  test('asks for what it imports and nothing else, in the versions of the service', async () => {
    const target = join(installed.folder, 'node_modules/@fountain/sequence-service');
    const imported = installed.files
      .filter((file) => file.endsWith('.js'))
      .flatMap((file) => [
        ...readFileSync(join(target, file), 'utf8').matchAll(/\bfrom ["']((?:@[\w-]+\/)?[\w-]+)/g),
      ])
      .map(([, name]) => name!);
    const own = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'));
    const service = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    expect(Object.keys(own.dependencies)).toEqual(
      [...new Set(imported)].filter((n) => n !== 'node').toSorted(),
    );
    expect(service.dependencies).toMatchObject(own.dependencies);
    expect(own.exports).toEqual(service.exports);
    expect(own).not.toHaveProperty('devDependencies');
    expect(own).not.toHaveProperty('scripts');
  });

  test.each(['connect', 'grpc', 'grpc-web'])(
    'serves the plain JavaScript of docs/clients.md over %s',
    async (protocol) => {
      const { url } = await startApp();
      expect(await installed.run(documented(url, protocol))).toBe(DOCUMENTED_OUTPUT);
    },
  );

  test.each(['connect', 'grpc'])('applies a write once over %s whose answers are lost', async (protocol) => {
    const proxy = await startFaultProxy((await startApp()).port);
    proxy.plan('lose-answer', 'reset', 'lose-answer');
    expect(await installed.run(documented(proxy.url, protocol))).toBe(DOCUMENTED_OUTPUT);
    expect(proxy.connections).toBeGreaterThanOrEqual(4);
  });

  test('outlives 503 and a hanging connection, by deadline and abort', async () => {
    const proxy = await startFaultProxy((await startApp()).port);
    proxy.plan('503', 'pass', 'hang', 'hang');
    const printed = await installed.run(
      `import { createSequenceClient, ElementType } from '@fountain/sequence-service/client';
       const client = createSequenceClient({ url: process.argv[2], deadlineMs: 2_000 });
       const sequence = { elementType: ElementType.ACTION };
       const { size } = await client.getSequence(sequence, { headers: { connection: 'close' } });
       const late = await client.getSequence(sequence, { timeoutMs: 100 }).catch((error) => error.code);
       const signal = AbortSignal.timeout(100);
       const gone = await client.getSequence(sequence, { signal }).catch((error) => error.code);
       console.log(size, late, gone);`,
      proxy.url,
    );
    expect(printed).toBe('0 4 1');
  });

  test('is typed', async () => {
    const program = `
      import { Code, ConnectError } from '@connectrpc/connect';
      import { createSequenceClient, createSequenceClientOver, DEFAULT_RETRY, ElementType, type Element,
        fieldViolationsOf, type GenerateRequest, reasonOf, type SequenceClient } from '@fountain/sequence-service/client';
      import * as core from '@fountain/sequence-service/client/core';
      import { PROTO_FOLDER } from '@fountain/sequence-service/proto';
      import { SequenceService } from '@fountain/sequence-service/proto/fountain/sequence/v1/sequence_pb.js';
      import { ErrorInfoSchema } from '@fountain/sequence-service/proto/google/rpc/error_details_pb.js';

      const client: SequenceClient = createSequenceClient({ url: 'http://localhost', protocol: 'grpc',
        deadlineMs: 500, retry: { maxAttempts: 2 }, headers: { a: 'b' }, token: async () => 'x' });
      const made = await client.generate({ elementType: ElementType.SCRIPT, elementId: 7n, target: { case: 'first', value: true } });
      const number: number = made.sequenceNumber;
      const element: Element | undefined = made.element;
      const reason: string | undefined = reasonOf(new ConnectError('x', Code.Aborted));
      const fields: { field: string }[] = fieldViolationsOf(undefined);
      const same: typeof createSequenceClientOver = core.createSequenceClientOver;
      const path: string = PROTO_FOLDER;
      const request: GenerateRequest['target']['case'] = 'before';
      // @ts-expect-error: an element id is a bigint
      client.remove({ elementType: ElementType.SCRIPT, elementId: 7 });
      // @ts-expect-error: there is no such protocol
      createSequenceClient({ url: 'http://localhost', protocol: 'soap' });
      // @ts-expect-error: an answer has no such field
      made.nothing;
      export { DEFAULT_RETRY, element, ErrorInfoSchema, fields, number, path, reason, request, same, SequenceService };
    `;
    expect(await installed.check(program)).toBe('');
  });

  test('gives the contract to other generators, and the generated code', async () => {
    const printed = await installed.run(`
      import { readFileSync } from 'node:fs';
      import * as proto from '@fountain/sequence-service/proto';
      import { SequenceService } from '@fountain/sequence-service/proto/fountain/sequence/v1/sequence_pb.js';
      import config from '@fountain/sequence-service/proto/service_config.json' with { type: 'json' };
      const byPath = import.meta.resolve('@fountain/sequence-service/proto/fountain/sequence/v1/sequence.proto');
      console.log(JSON.stringify([
        readFileSync(proto.PROTO_FOLDER + proto.SEQUENCE_PROTO, 'utf8') === readFileSync(new URL(byPath), 'utf8'),
        JSON.parse(readFileSync(proto.SERVICE_CONFIG, 'utf8')).methodConfig.length === config.methodConfig.length,
        JSON.parse(readFileSync(proto.SERVICE_CONFIG_WITH_REQUEST_IDS, 'utf8')).methodConfig.length,
        SequenceService.typeName,
      ]));
    `);
    expect(JSON.parse(printed)).toEqual([true, true, 1, 'fountain.sequence.v1.SequenceService']);
  });

  test('client/core, for runtimes without Node, imports nothing of Node', async () => {
    const dist = join(installed.folder, 'node_modules/@fountain/sequence-service/client/dist');
    const seen = new Set<string>();
    const foreign = new Set<string>();
    const visit = (file: string) => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const [, to] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?["']([^"']+)["']/g))
        if (to!.startsWith('.')) visit(join(dirname(file), to!));
        else foreign.add(to!);
    };
    visit(join(dist, 'core.js'));
    expect(seen.size).toBeGreaterThan(6);
    expect(
      [...foreign].filter((name) => !/^@(bufbuild\/protobuf|connectrpc\/connect)(\/|$)/.test(name)),
    ).toEqual([]);
    expect(await readFile(join(dist, 'core.js'), 'utf8')).not.toMatch(/\.ts['"]/);
  });
});
