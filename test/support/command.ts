import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { laneOfProject } from './lane.ts';
import { temporaryFolder } from './temporary.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** How to run a file of `src/` as a process. */
export interface SourceOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** An empty folder when not given. */
  readonly cwd?: string;
  /** For Node itself, before the file. */
  readonly execArgs?: readonly string[];
  readonly uid?: number;
  /** A file descriptor for its standard output, in place of a pipe. */
  readonly stdout?: number;
  /** Another copy of the source, a folder with `src/` in it. */
  readonly root?: string;
}

/** How a process ended, with all that it wrote. */
export interface Ended {
  /** The exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs a file of `src/`; it is killed when the test has finished. */
export interface SourceProcess {
  readonly child: ChildProcess;
  /** Resolves when it has ended and its output has been read. */
  readonly ended: Promise<Ended>;
  stdout(): string;
}

/** Starts `src/${file}` with no other environment than this one. */
export async function startSource(file: string, options: SourceOptions = {}): Promise<SourceProcess> {
  const { args = [], env = {}, execArgs = [], stdout: output = 'pipe', root = ROOT } = options;
  const child = spawn(process.execPath, [...execArgs, `${root}src/${file}`, ...args], {
    cwd: options.cwd ?? (await temporaryFolder()),
    env: { PATH: process.env['PATH'], ...laneOfProject(), ...env },
    stdio: ['ignore', output, 'pipe'],
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, stdout, stderr }));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, ended, stdout: () => stdout };
}

/** Runs `src/cli.ts` to its end. */
export async function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: Omit<SourceOptions, 'args' | 'env'> = {},
): Promise<Ended> {
  return await (await startSource('cli.ts', { ...options, args, env })).ended;
}
