import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { WatchedFiles } from '../../src/util/watched-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

async function watch(...names: string[]) {
  const folder = await temporaryFolder();
  const paths = names.map((name) => join(folder, name));
  const faults: string[] = [];
  const values: string[] = [];
  const open = async () => {
    const files = await WatchedFiles.open({
      paths,
      parse: (texts) => {
        if (new Set(texts).size > 1) throw new Error(`they differ: ${texts.join()}`);
        return texts[0]!;
      },
      onChange: (value) => values.push(value),
      onFault: (error) => faults.push((error as Error).message),
      intervalMs: 20,
    });
    onTestFinished(() => files.close());
    return files;
  };
  return { folder, paths, faults, values, open };
}

test('a changed file is read again, one that cannot be used is told once and changes nothing', async () => {
  const { paths, faults, values, open } = await watch('a', 'b');
  const [a, b] = paths as [string, string];
  await writeFile(a, '1');
  await writeFile(b, '1');
  const files = await open();
  expect(files.value).toBe('1');
  await writeFile(a, '2');
  await until('the fault', () => faults.length > 0);
  await sleep(150);
  expect(faults).toEqual(['they differ: 2,1']);
  expect(files.value).toBe('1');
  await writeFile(b, '2');
  await until('the change', () => values.length > 0);
  expect([files.value, values, faults.length]).toEqual(['2', ['2'], 1]);
  await rm(b);
  await until('the loss', () => faults.length > 1);
  expect(faults[1]).toContain('ENOENT');
  expect(files.value).toBe('2');
});

test('two files written one after the other are read together', async () => {
  const { paths, faults, values, open } = await watch('a', 'b');
  for (const path of paths) await writeFile(path, '0');
  await open();
  for (let i = 1; i <= 5; i++) {
    for (const path of paths) {
      await writeFile(path, String(i));
      await sleep(4);
    }
    await until('the change', () => values.length === i);
  }
  expect(values).toEqual(['1', '2', '3', '4', '5']);
  expect(faults).toEqual([]);
});

test('what a link points to is followed, as Kubernetes changes secrets', async () => {
  const { folder, values, open, paths } = await watch('file');
  for (const version of ['1', '2']) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'file'), version);
  }
  await symlink('1', join(folder, '..data'));
  await symlink('..data/file', paths[0]!);
  const files = await open();
  expect(files.value).toBe('1');
  await symlink('2', join(folder, '..tmp'));
  await rename(join(folder, '..tmp'), join(folder, '..data'));
  await until('the change', () => values.length > 0);
  expect(files.value).toBe('2');
});

test('what cannot be read at first is not opened, and nothing is looked at after the end', async () => {
  const { paths, values, open } = await watch('a');
  await expect(open()).rejects.toThrow('ENOENT');
  await writeFile(paths[0]!, '1');
  const files = await open();
  files.close();
  await writeFile(paths[0]!, '2');
  await sleep(150);
  expect([files.value, values]).toEqual(['1', []]);
});
