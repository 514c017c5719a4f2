import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

/** The service in a process of its own. */
export interface RunningProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  /** The log so far, a parsed line each. */
  readonly log: Record<string, unknown>[];
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
}

/** Starts `src/main.ts` as a process with this environment; it is killed when the test has finished. */
export async function startProcess(env: Record<string, string>): Promise<RunningProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], PORT: '0', LOG_PRETTY: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const log: Record<string, unknown>[] = [];
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    if (entry['msg'] === 'serving') resolve(entry['port'] as number);
  });
  exited.then((code) => reject(new Error(`the service ended with ${code}: ${errors}`)));
  const port = await promise;
  return { child, port, url: `http://127.0.0.1:${port}`, log, exited };
}
