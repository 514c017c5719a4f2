import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const run = (command: string, ...args: string[]) => void execFileSync(command, args, { stdio: 'ignore' });

/** A file system in memory, of a size that can be changed; it goes with the test. */
export async function memoryDisk(size: string): Promise<{ folder: string; resize(size: string): void }> {
  const folder = join(await temporaryFolder(), 'small');
  await mkdir(folder);
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder);
  onTestFinished(() => run('umount', '-l', folder));
  return { folder, resize: (wanted) => run('mount', '-o', `remount,size=${wanted}`, folder) };
}

/** An ext4 file system in a file; it goes with the test. */
export async function ext4Disk(): Promise<{
  folder: string;
  /** The system gives it up as after an I/O error: open or not, nothing can be written any more. */
  fail(): void;
  /** Unmounts it, repairs it and mounts it again, as after a restart of the machine. */
  repair(): void;
}> {
  const root = await temporaryFolder();
  const [folder, image] = [join(root, 'disk'), join(root, 'image')];
  await mkdir(folder);
  run('truncate', '-s', '64M', image);
  run('mkfs.ext4', '-q', image);
  const mount = () => run('mount', '-o', 'loop', image, folder);
  mount();
  onTestFinished(() => run('umount', '-l', folder));
  return {
    folder,
    fail: () => run('mount', '-o', 'remount,abort', folder),
    repair() {
      run('umount', folder);
      // 1: it has repaired something.
      run('sh', '-c', `fsck.ext4 -fy ${image} || [ $? -eq 1 ]`);
      mount();
    },
  };
}
