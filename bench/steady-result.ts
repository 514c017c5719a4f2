import type { GcPauses } from './gc-pauses.ts';
import type { OpenLoadResult } from './load/open-loop.ts';
import type { EngineName } from './stores.ts';

/** What a soak leaves in bench/results. */
export interface SoakResult {
  readonly at: string;
  readonly commit: string;
  readonly machine: string;
  readonly engine: EngineName;
  readonly lane: 'on' | 'off';
  readonly minutes: number;
  /** Of a closed loop, calls a second. */
  readonly best: number;
  readonly rate: number;
  readonly load: OpenLoadResult;
  readonly gc: readonly GcPauses[];
  readonly resident: readonly { readonly second: number; readonly megabytes: number }[];
}
