import { type ChildProcess, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { endChild, startChild, within } from './children.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from './node-flags.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
const STOCK_ADAPTER = new URL('raw/stock-adapter.ts', import.meta.url).pathname;
const HAS_TASKSET = spawnSync('taskset', ['-V']).status === 0;

/** Cores by number, `any` for all of them. */
export type Cores = 0 | 1 | 'any';

/** A command line that runs on the given cores, where the machine can pin. */
export function onCores(
  cores: Cores,
  command: string,
  args: readonly string[],
): [command: string, args: string[]] {
  return HAS_TASKSET && cores !== 'any'
    ? ['taskset', ['-c', String(cores), command, ...args]]
    : [command, [...args]];
}

/** The command line that runs a script of ours on one core, where the machine can pin. */
export function pinned(core: Cores, args: readonly string[]): [command: string, args: string[]] {
  return onCores(core, process.execPath, args);
}

/** How processes are placed, for the report. */
export const PLACEMENT = HAS_TASKSET
  ? 'service on core 0 (SQLite threads included), load on core 1, PostgreSQL on both, unless a row says otherwise'
  : 'not pinned: taskset is missing';

/** How to start a service. */
export interface ServerOptions {
  readonly databaseUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cores?: Cores;
  /** For Node, behind those of `npm start`. */
  readonly flags?: readonly string[];
}

/** A service process, with everything on that ships: validation, metrics, logs (read and thrown away), marks. */
export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to its first "ready", ms. */
  readonly readyMs: number;
  /** Whether it has a metrics page that tells of calls that failed. */
  readonly counted: boolean;
  stop(): Promise<void>;
}

/** Starts a service and waits until it is ready. */
export async function startServer(options: ServerOptions): Promise<BenchServer> {
  const [command, args] = pinned(options.cores ?? 0, [...NODE_FLAGS, ...(options.flags ?? []), MAIN]);
  const started = performance.now();
  const child = startChild(command, args, {
    env: {
      ...NODE_ENVIRONMENT,
      PATH: process.env['PATH'],
      PORT: '0',
      LOG_PRETTY: 'off',
      DATABASE_URL: options.databaseUrl,
      ...options.env,
    },
  });
  try {
    const url = `http://127.0.0.1:${await within(30_000, 'the start of the service', servingPort(child))}`;
    await within(30_000, 'readiness', ready(url));
    const readyMs = performance.now() - started;
    return { url, pid: child.pid!, readyMs, counted: true, stop: () => endChild(child) };
  } catch (error) {
    await endChild(child, 'SIGKILL');
    throw error;
  }
}

/**
 * Starts a process of connect-node's adapter as it comes, under Node as it comes, with one RPC that does nothing and
 * nothing else on: no interceptors, log or metrics.
 */
export async function startStockAdapter(wire: 'json' | 'grpc', cores: Cores = 0): Promise<BenchServer> {
  const [command, args] = pinned(cores, [STOCK_ADAPTER, wire]);
  const started = performance.now();
  const child = startChild(command, args, { env: { PATH: process.env['PATH'] } });
  try {
    const port = await within(30_000, 'the start of the stock adapter', servingPort(child));
    const readyMs = performance.now() - started;
    return {
      url: `http://127.0.0.1:${port}`,
      pid: child.pid!,
      readyMs,
      counted: false,
      stop: () => endChild(child),
    };
  } catch (error) {
    await endChild(child, 'SIGKILL');
    throw error;
  }
}

async function servingPort(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', (line) => {
    const entry = JSON.parse(line) as { msg: string; port: number };
    if (entry.msg === 'serving') resolve(entry.port);
  });
  const port = await promise;
  // From here on the log is read as fast as it comes and thrown away.
  lines.close();
  child.stdout!.resume();
  return port;
}

async function ready(url: string): Promise<void> {
  for (;;) {
    const { statusCode, body } = await request(`${url}/readyz`);
    await body.dump();
    if (statusCode === 200) return;
    await sleep(2);
  }
}
