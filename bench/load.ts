import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pinned } from './server.ts';

/** What is called: `empty` is grpc.health.v1.Health/Check, `generate` a Generate of a new id at the end. */
export type Call = 'empty' | 'generate';

/** How it is called. */
export type Wire = 'connect-json' | 'grpc';

/** One run of the load generator. */
export interface LoadOptions {
  readonly url: string;
  readonly call: Call;
  readonly wire: Wire;
  readonly callers: number;
  readonly seconds: number;
  /** Ids of this run's Generates start here; no two runs on one database may overlap. */
  readonly firstId: number;
}

/** What a run saw. Latencies in milliseconds. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

const DRIVERS: Readonly<Record<Wire, string>> = {
  'connect-json': 'driver-json.ts',
  grpc: 'driver-grpc.ts',
};

/** Runs the load from a process of its own, on core 1. Throws where any call failed: such a figure means nothing. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const script = new URL(DRIVERS[options.wire], import.meta.url).pathname;
  const [command, args] = pinned(1, [script, JSON.stringify(options)]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  const result = JSON.parse(output) as LoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} of the calls failed`);
  return result;
}
