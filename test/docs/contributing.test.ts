import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

test('npm run dev starts again when a source file changes', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: { dev: string } };
  // The script itself, on a program that tells only that it was started.
  const folder = await temporaryFolder();
  const main = join(folder, 'src', 'main.ts');
  await mkdir(join(folder, 'src'));
  const program = (name: string) => `console.log('${name}'); setInterval(() => {}, 1_000);`;
  await writeFile(main, program('first'));
  const child = spawn('sh', ['-c', scripts.dev], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGTERM');
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += String(text);
  });
  await until('it was started', () => output.includes('first'));
  await writeFile(main, program('second'));
  await until('it was started again', () => output.includes('second'));
  expect(child.exitCode).toBeNull();
});
