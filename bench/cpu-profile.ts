import { relative } from 'node:path';

/** What Node's --cpu-prof writes, as far as it is read here. Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function and its own share of the time in which the process was not idle. */
export interface SelfTime {
  readonly name: string;
  /** With its line; empty for what is not a script, such as the garbage collector. */
  readonly place: string;
  readonly share: number;
}

/**
 * The functions that took most time themselves, and the share of all time in which there was nothing to do.
 * @param window what of the profile to look at, in milliseconds from its beginning
 */
export function selfTimes(
  profile: CpuProfile,
  root: string,
  window: { readonly fromMs: number; readonly toMs: number } = { fromMs: 0, toMs: Number.POSITIVE_INFINITY },
): { busy: SelfTime[]; idle: number } {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const taken = new Map<string, { name: string; place: string; time: number }>();
  let all = 0;
  let idle = 0;
  let at = 0;
  // A sample holds until the next one.
  for (const [index, id] of profile.samples.entries()) {
    const time = profile.timeDeltas[index + 1] ?? 0;
    at += profile.timeDeltas[index]!;
    if (at < window.fromMs * 1000 || at >= window.toMs * 1000) continue;
    const frame = nodes.get(id)!;
    all += time;
    if (frame.functionName === '(idle)') {
      idle += time;
      continue;
    }
    const name = frame.functionName || '(anonymous)';
    const place = placeOf(frame.url, frame.lineNumber, root);
    const known = taken.get(`${name} ${place}`);
    if (known === undefined) taken.set(`${name} ${place}`, { name, place, time });
    else known.time += time;
  }
  const busy = [...taken.values()]
    .map(({ name, place, time }) => ({ name, place, share: time / (all - idle) }))
    .toSorted((a, b) => b.share - a.share);
  return { busy, idle: idle / all };
}

function placeOf(url: string, line: number, root: string): string {
  if (url === '') return '';
  const path = url.startsWith('file://') ? relative(root, new URL(url).pathname) : url;
  return `${path}:${line + 1}`;
}
