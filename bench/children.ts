import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SIGNAL_GRACE_MS = 3_000;

// Whatever way the bench ends, no process and no file of it stays: they are known here from the moment they exist.
const children = new Map<ChildProcess, NodeJS.Signals>();
const folders = new Set<string>();

let watching = false;

function watch(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const child of children.keys()) child.kill('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.once(signal, async () => {
      // A folder can be removed for good only when nobody writes into it any more.
      const gone = [...children.keys()].map((child) => once(child, 'exit'));
      for (const [child, atOnce] of children) child.kill(atOnce);
      await Promise.race([Promise.all(gone), sleep(SIGNAL_GRACE_MS)]);
      process.exit(code);
    });
}

/**
 * Starts a process that ends with the bench at the latest.
 * @param atOnce the signal at which it ends without delay
 */
export function startChild(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
  atOnce: NodeJS.Signals = 'SIGKILL',
): ChildProcess {
  watch();
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.set(child, atOnce);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child));
  return child;
}

/** Ends a process by a signal; one that has not gone after the time is killed. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  graceMs = 10_000,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(timer);
}

/** Runs a process to its end and returns its standard output. Throws where it fails or takes longer than it may. */
export async function outputOf(
  command: string,
  args: readonly string[],
  { limitMs, ...options }: SpawnOptions & { readonly limitMs: number },
): Promise<string> {
  const child = startChild(command, args, options);
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  if (code !== 0) {
    const how = signal === 'SIGKILL' ? `was killed, perhaps after ${limitMs} ms` : `ended with ${code}`;
    throw new Error(`${command} ${how}: ${output.slice(-500)}`);
  }
  return output;
}

/** A folder that goes with the bench at the latest. */
export function benchFolder(): { path: string; remove(): void } {
  watch();
  const path = mkdtempSync(join(tmpdir(), 'sequence-bench-'));
  folders.add(path);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      folders.delete(path);
    },
  };
}

/** Rejects where something takes longer than it may. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
