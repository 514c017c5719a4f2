import { setTimeout as sleep } from 'node:timers/promises';
import { answers, type Fault } from '../../test/support/typesense/faults.ts';
import type { TypesenseDouble } from '../../test/support/typesense/typesense-double.ts';
import type { Fleet, Replica } from './fleet.ts';

const FAULTS: readonly Fault[] = [
  answers.notReady(),
  answers.diskFull(),
  answers.html(),
  answers.tooMany('1'),
  { kind: 'hang', apply: 'on-close', lateMs: 200 },
  { kind: 'reset', apply: 'half' },
  { kind: 'reset', apply: 'now' },
  { kind: 'truncate', end: 'reset' },
  { kind: 'delay', ms: 100 },
];

/** Lets the search index flap until the signal: good, flapping, down, each for some seconds. */
export async function flap(
  double: TypesenseDouble,
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    double.faults.clear();
    const fault = FAULTS[Math.floor(random() * FAULTS.length)]!;
    const kind = random();
    if (kind < 0.35) double.faults.flapping({ up: 3, down: 2, fault });
    else if (kind < 0.6) double.faults.always(fault);
    else if (kind < 0.7) await double.server.refuse();
    await pause(2_000 + random() * 8_000, signal);
    if (kind >= 0.6 && kind < 0.7) await double.server.open();
  }
  double.faults.clear();
}

/** What was done to the replicas, for the chart. */
export interface Blow {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly replica: string;
  readonly signal: 'SIGKILL' | 'SIGTERM';
}

/** Ends replicas and starts them again until the signal: three times in four without warning. */
export async function strike(
  fleet: Fleet,
  options: {
    /** Those that may be ended now. */
    victims: () => readonly Replica[];
    everyMs: number;
    random: () => number;
    seconds: () => number;
  },
  signal: AbortSignal,
): Promise<Blow[]> {
  const { victims, everyMs, random, seconds } = options;
  const blows: Blow[] = [];
  for (;;) {
    await pause(everyMs * (0.5 + random()), signal);
    const among = victims();
    const replica = among[Math.floor(random() * among.length)];
    if (signal.aborted) return blows;
    if (replica === undefined) continue;
    const how = random() < 0.75 ? 'SIGKILL' : 'SIGTERM';
    blows.push({ at: seconds(), replica: replica.name, signal: how });
    await fleet.end(replica, how);
    await sleep(random() * 1_000);
    await fleet.start(replica);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
