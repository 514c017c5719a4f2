import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openDatabase } from '../src/db/database.ts';
import { Writer } from '../src/domain/writer.ts';
import { createMetrics } from '../src/metrics.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
const HAS_TASKSET = spawnSync('taskset', ['-V']).status === 0;

/** The command line that runs a script on one core, where the machine can pin. */
export function pinned(core: number, args: readonly string[]): [command: string, args: string[]] {
  return HAS_TASKSET
    ? ['taskset', ['-c', String(core), process.execPath, ...args]]
    : [process.execPath, [...args]];
}

/** How processes are placed, for the report. */
export const PLACEMENT = HAS_TASKSET
  ? 'service on core 0 (SQLite threads included), load on core 1'
  : 'not pinned: taskset is missing';

/** A service process on core 0, with everything on that ships: validation, metrics, logs (to nowhere), marks. */
export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a service on a database with so many elements in scope `bench`, and with this configuration besides. */
export async function startServer(
  elements: number,
  env: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sequence-bench-'));
  const file = join(folder, 'sequence.db');
  await preload(file, elements);
  const [command, args] = pinned(0, [MAIN]);
  const child = spawn(command, args, {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      LOG_PRETTY: 'off',
      DATABASE_URL: `sqlite:///${file}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await servingPort(child);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}

async function servingPort(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
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

export async function preload(file: string, elements: number): Promise<void> {
  const database = await openDatabase({ url: { engine: 'sqlite', file }, readers: 1, migrate: 'auto' });
  const writer = new Writer({
    connection: database.writer,
    limits: { maxBatch: 64, maxQueue: 1_000, maxQueueBytes: 2 ** 30, maxRenumber: 100_000 },
    metrics: createMetrics().writer,
    now: Date.now,
    onCommit: () => {},
    onError: (error) => {
      throw error;
    },
  });
  const { signal } = new AbortController();
  for (let done = 0; done < elements; done += 1_000) {
    await writer.submit(
      {
        kind: 'batch_generate',
        sequence: { scope: 'bench', elementType: 'script' },
        caller: '',
        comment: '',
        items: Array.from({ length: Math.min(1_000, elements - done) }, (_, index) => ({
          elementId: done + index + 1,
          comment: '',
          content: null,
        })),
      },
      { signal, deadline: Date.now() + 60_000 },
    );
  }
  await writer.close();
  await database.close();
}
