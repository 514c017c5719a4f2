import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('what is compiled is kept beside the packages, not where others may write', () => {
  const script = `
    const { keepCompiled } = await import('./src/cli/compile-cache.ts');
    keepCompiled();
    console.log((await import('node:module')).getCompileCacheDir());`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(String(stdout)).toContain(`${process.cwd()}/node_modules/.compile-cache/`);
});
