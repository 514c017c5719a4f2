import { execFile, spawnSync } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { temporaryFolder } from '../support/temporary.ts';

const run = promisify(execFile);
const ROOT = new URL('../..', import.meta.url).pathname;
const EXAMPLES = join(ROOT, 'examples/clients');

/** PYTHON names another interpreter: one of a virtual environment that has grpcio. */
const PYTHON = process.env['PYTHON'] ?? 'python3';
const hasGrpcio = spawnSync(PYTHON, ['-c', 'import grpc, grpc_tools']).status === 0;

describe('the example clients do what they say, twice', () => {
  async function expectToRun(first: string, call: () => Promise<{ stdout: string }>) {
    expect((await call()).stdout.trim()).toBe(first);
    expect((await call()).stdout.trim()).toBe(first.replaceAll('1', '2'));
  }

  test('grpc-js.mjs', async () => {
    const { port } = await startApp();
    const example = join(EXAMPLES, 'grpc-js.mjs');
    await expectToRun('element 1 has number 1', () => run(process.execPath, [example, `localhost:${port}`]));
  });

  test('connect-es.mjs', async () => {
    const { url } = await startApp();
    const example = join(EXAMPLES, 'connect-es.mjs');
    await expectToRun('element 1 has number 1', () => run(process.execPath, [example, url]));
  });

  test.skipIf(!hasGrpcio)(
    `python_grpcio.py${hasGrpcio ? '' : ` (skipped: ${PYTHON} cannot import grpcio and grpcio-tools)`}`,
    async () => {
      const { port } = await startApp();
      const cwd = await temporaryFolder();
      await cp(EXAMPLES, cwd, { recursive: true });
      const out = ['--python_out=.', '--grpc_python_out=.', 'fountain/sequence/v1/sequence.proto'];
      await run(PYTHON, ['-m', 'grpc_tools.protoc', '-I', join(ROOT, 'proto'), ...out], { cwd });
      await expectToRun('element 1 has number 1', () =>
        run(PYTHON, ['python_grpcio.py', `localhost:${port}`], { cwd }),
      );
    },
  );
});
