import { spawnSync } from 'node:child_process';
import { request } from 'undici';
import { within } from '../children.ts';
import type { Cores } from '../server.ts';
import type { Numbers } from './bodies.ts';
import { type CallName, isConstant } from './calls.ts';
import { runFrames } from './frames.ts';
import { runH2load } from './h2load.ts';
import { runAutocannon, runWrk } from './http1.ts';

/** How a call travels: Connect JSON over HTTP/1.1, or gRPC over one h2c connection. */
export type Wire = 'json' | 'grpc';

export type Generator = 'wrk' | 'autocannon' | 'h2load' | 'frames';

/** One run of a load generator: so many callers, each with one call in flight. */
export interface Load {
  readonly url: string;
  readonly call: CallName;
  readonly wire: Wire;
  readonly callers: number;
  readonly seconds: number;
  readonly numbers: Numbers;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cores?: Cores;
  /** False where what answers has no metrics page to tell of failures. */
  readonly counted?: boolean;
}

/** What a run saw. Latencies in milliseconds. */
export interface LoadResult {
  readonly calls: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** A run may take so much longer than its load. */
export const LOAD_GRACE_MS = 40_000;

const has = (command: string) => spawnSync(command, ['--version']).error === undefined;
const HAS_WRK = has('wrk');
export const HAS_H2LOAD = has('h2load');

/** For the report. */
export const GENERATORS: readonly string[] = [
  HAS_WRK ? 'wrk' : 'autocannon (wrk is not installed)',
  `${HAS_H2LOAD ? 'h2load' : 'h2load is not installed'}; bench/load/frames.ts where gRPC bodies differ from call to call`,
];

const RUNS: Readonly<Record<Generator, (load: Load) => Promise<LoadResult>>> = {
  wrk: runWrk,
  autocannon: runAutocannon,
  h2load: runH2load,
  frames: runFrames,
};

/**
 * One generator for all that is compared. h2load sends one body only; where a body differs from call to call, all
 * sides get the bench's own.
 */
export function generatorFor(wire: Wire, calls: readonly CallName[]): Generator {
  if (wire === 'json') return HAS_WRK ? 'wrk' : 'autocannon';
  return HAS_H2LOAD && calls.every(isConstant) ? 'h2load' : 'frames';
}

/** Runs a load. Throws where the service counts any call that failed: such a figure means nothing. */
export async function runLoad(generator: Generator, load: Load): Promise<LoadResult> {
  const before = await failures(load);
  const result = await RUNS[generator](load);
  const failed = [...(await failures(load))].flatMap(([code, count]) => {
    const more = count - (before.get(code) ?? 0);
    return more > 0 ? [`${more} of them ${code}`] : [];
  });
  if (failed.length > 0) throw new Error(`calls of ${load.call} failed: ${failed.join(', ')}`);
  if (result.calls === 0) throw new Error(`no call of ${load.call} was answered`);
  return result;
}

/** What the service itself counted, which no generator can miss. Calls cut off at a run's end are no failures. */
async function failures({ url, headers = {}, counted = true }: Load): Promise<Map<string, number>> {
  if (!counted) return new Map();
  const page = await within(
    10_000,
    'the metrics page',
    request(`${url}/metrics`, { headers }).then(({ body }) => body.text()),
  );
  return failedCalls(page);
}

/** The calls on a metrics page that ended in an error, other than by their caller's going away, by its code. */
export function failedCalls(page: string): Map<string, number> {
  const failed = new Map<string, number>();
  for (const [, labels, count] of page.matchAll(/^sequence_rpc_duration_seconds_count\{([^}]*)\} (\S+)$/gm)) {
    const code = /code="([^"]*)"/.exec(labels!)![1]!;
    if (code !== 'OK' && code !== 'CANCELLED') failed.set(code, (failed.get(code) ?? 0) + Number(count));
  }
  return failed;
}
