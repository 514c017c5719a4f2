import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

export function machineOf(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpus()[0]?.model}, ${memory} GiB, Node ${process.version}`;
}

/** What is measured, and whether src/ differs from it. */
export function commitOf(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', '../src').stdout?.trim() !== '';
  return `${git('rev-parse', '--short', 'HEAD').stdout?.trim() ?? ''}${changed ? ' with changes' : ''}`;
}
