import { outputOf } from '../children.ts';
import { type Cores, pinned } from '../server.ts';
import type { Numbers } from './bodies.ts';
import type { CallName } from './calls.ts';
import { LOAD_GRACE_MS } from './load.ts';

const DRIVER = new URL('open-loop-driver.ts', import.meta.url).pathname;

/** Calls (Connect JSON) at fixed times, whether the ones before were answered or not. */
export interface OpenLoad {
  readonly url: string;
  readonly call: CallName;
  /** Calls a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly numbers: Numbers;
  /** Calls in flight at most; what is due beyond them waits, and its wait counts. */
  readonly connections: number;
  /** Keeps a core busy looking at the clock, where it has one of its own; else a call may be sent a millisecond late. */
  readonly spin?: boolean;
  readonly cores?: Cores;
}

/** Latencies in milliseconds from the time at which a call was due: one that a stall held back has waited too. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface OpenLoadResult extends Latencies {
  readonly calls: number;
  readonly failed: number;
  /** How late the generator itself sent, of the calls for which a connection was free; its own share in the above. */
  readonly sentLateP99: number;
  /** One for each second. */
  readonly timeline: readonly (Latencies & { readonly second: number; readonly calls: number })[];
}

/** Runs it from a process of its own, pinned to core 1. */
export async function runOpenLoad(load: OpenLoad): Promise<OpenLoadResult> {
  const [command, args] = pinned(load.cores ?? 1, [DRIVER, JSON.stringify(load)]);
  const output = await outputOf(command, args, { limitMs: load.seconds * 1000 + LOAD_GRACE_MS });
  const result = JSON.parse(output) as OpenLoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} calls of ${load.call} failed`);
  return result;
}
