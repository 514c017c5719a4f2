import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../node-flags.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const START_TIMEOUT_MS = 60_000;

/** A replica: a place in the fleet, whose process comes and goes. */
export interface Replica {
  readonly name: string;
  /** Undefined while it is down. */
  url: string | undefined;
  pid: number | undefined;
  /** How often it was started. */
  starts: number;
}

/** The service's processes, on one database. */
export class Fleet {
  readonly replicas: readonly Replica[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #children = new Map<Replica, ChildProcess>();
  /** What no replica should say: lines of level error, by message. */
  readonly complaints = new Map<string, number>();

  constructor(count: number, env: Readonly<Record<string, string>>) {
    this.#env = env;
    this.replicas = Array.from({ length: count }, (_, index) => ({
      name: `replica ${index + 1}`,
      url: undefined,
      pid: undefined,
      starts: 0,
    }));
  }

  async start(replica: Replica): Promise<void> {
    const child = spawn(process.execPath, [...NODE_FLAGS, MAIN], {
      env: {
        ...NODE_ENVIRONMENT,
        PATH: process.env['PATH'],
        PORT: '0',
        LOG_PRETTY: 'off',
        LOG_LEVEL: 'info',
        ...this.#env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.set(replica, child);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const late = setTimeout(() => reject(new Error(`${replica.name} did not start`)), START_TIMEOUT_MS);
    child.once('exit', (code, signal) => {
      replica.url = undefined;
      replica.pid = undefined;
      reject(new Error(`${replica.name} ended with ${code ?? signal}`));
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { msg, port, level } = JSON.parse(line) as { msg: string; port: number; level: string };
      if (msg === 'serving') resolve(port);
      if (level === 'error') this.complaints.set(msg, (this.complaints.get(msg) ?? 0) + 1);
    });
    const port = await promise.finally(() => clearTimeout(late));
    replica.url = `http://127.0.0.1:${port}`;
    replica.pid = child.pid;
    replica.starts += 1;
  }

  /** Ends a replica, by a signal that it obeys or cannot. */
  async end(replica: Replica, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#children.get(replica);
    if (child === undefined || replica.pid === undefined) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    if (signal === 'SIGTERM' && child.exitCode !== 0)
      throw new Error(`${replica.name} ended with ${child.exitCode} after SIGTERM`);
  }

  /** A replica that is up, each in turn. */
  async url(turn: number): Promise<string> {
    for (;;) {
      const up = this.replicas.filter(({ url }) => url !== undefined);
      if (up.length > 0) return up[turn % up.length]!.url!;
      await sleep(50);
    }
  }

  async endAll(): Promise<void> {
    for (const replica of this.replicas) await this.end(replica, 'SIGTERM');
  }

  /** For when something went wrong: leaves no process behind. */
  killAll(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }
}
