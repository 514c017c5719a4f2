import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet, Replica } from './fleet.ts';

/** What one process held at one moment. */
export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number;
  /** Which process of the replica, counted from 1. */
  readonly start: number;
  readonly rssMiB: number;
  /** Of JavaScript: what is alive, and the garbage that has not been collected yet. */
  readonly heapMiB: number;
  readonly descriptors: number;
  readonly handles: number;
  readonly dirty: number;
}

/** Samples of every replica, a second apart. */
export type Series = Record<string, Sample[]>;

export async function record(
  fleet: Fleet,
  seconds: () => number,
  tick: () => void,
  signal: AbortSignal,
): Promise<Series> {
  const series: Series = Object.fromEntries(fleet.replicas.map(({ name }) => [name, []]));
  while (!signal.aborted) {
    const started = performance.now();
    for (const replica of fleet.replicas) {
      // A process that ends in the middle of being looked at has no sample.
      const sample = await look(replica, seconds()).catch(() => undefined);
      if (sample !== undefined) series[replica.name]!.push(sample);
    }
    tick();
    await sleep(Math.max(0, 1_000 - (performance.now() - started)), undefined, { signal }).catch(() => {});
  }
  return series;
}

async function look({ pid, url, starts }: Replica, at: number): Promise<Sample | undefined> {
  if (pid === undefined || url === undefined) return undefined;
  const [status, descriptors, page] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
    fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then((answer) => answer.text()),
  ]);
  const metric = (name: string) => Number(new RegExp(`^${name}(?:\\{\\})? (\\S+)$`, 'm').exec(page)?.[1]);
  return {
    at: Math.round(at * 10) / 10,
    start: starts,
    rssMiB: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 102.4) / 10,
    heapMiB: Math.round(metric('sequence_nodejs_heap_size_used_bytes') / 104857.6) / 10,
    descriptors: descriptors.length,
    handles: metric('sequence_nodejs_active_handles_total'),
    dirty: metric('sequence_sync_dirty_documents'),
  };
}

/** What a process held at the beginning and at the end of its life; a quarter of it each, the first fifth apart. */
export interface Growth {
  readonly replica: string;
  readonly seconds: number;
  readonly rssMiB: readonly [first: number, last: number];
  /** The least: right after a collection, what is alive. */
  readonly heapMiB: readonly [first: number, last: number];
  readonly descriptors: readonly [first: number, last: number];
  readonly handles: readonly [first: number, last: number];
}

/** Looks at the process that lived the longest while there was load, by medians; the heap by its least. */
export function growth(series: Series, loadEnded: number): Growth {
  const lives = Object.entries(series).flatMap(([replica, samples]) =>
    [
      ...Map.groupBy(
        samples.filter(({ at }) => at < loadEnded),
        ({ start }) => start,
      ).values(),
    ].map((life) => ({ replica, life })),
  );
  const { replica, life } = lives.reduce((a, b) => (b.life.length > a.life.length ? b : a));
  const warm = life.slice(Math.floor(life.length / 5));
  const quarter = Math.max(1, Math.floor(warm.length / 4));
  const both = (of: (sample: Sample) => number, share = 0.5) =>
    [
      percentile(warm.slice(0, quarter).map(of), share),
      percentile(warm.slice(-quarter).map(of), share),
    ] as const;
  return {
    replica,
    seconds: life.length,
    rssMiB: both(({ rssMiB }) => rssMiB),
    heapMiB: both(({ heapMiB }) => heapMiB, 0),
    descriptors: both(({ descriptors }) => descriptors),
    handles: both(({ handles }) => handles),
  };
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}
