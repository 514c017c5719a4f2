import { describe, expect, test } from 'vitest';
import { type CpuProfile, selfTimes } from '../../bench/cpu-profile.ts';
import { gcPauses } from '../../bench/gc-pauses.ts';
import { parseLog } from '../../bench/load/h2load.ts';
import { failedCalls } from '../../bench/load/load.ts';
import { Schedule } from '../../bench/load/schedule.ts';

describe('a CPU profile', () => {
  const frame = (id: number, functionName: string, url = '', lineNumber = -1) => ({
    id,
    callFrame: { functionName, url, lineNumber },
  });
  const profile: CpuProfile = {
    nodes: [
      frame(1, '(idle)'),
      frame(2, 'write', 'file:///root/src/writer.ts', 9),
      frame(3, '(garbage collector)'),
      frame(4, '', 'node:events', 0),
      // The same function, called from elsewhere.
      frame(5, 'write', 'file:///root/src/writer.ts', 9),
    ],
    samples: [2, 1, 5, 3, 4, 2],
    timeDeltas: [1_000, 300, 500, 300, 200, 200],
  };

  test('shares are of the time that was not idle, a function with all its callers', () => {
    const { busy, idle } = selfTimes(profile, '/root');
    expect(idle).toBeCloseTo(500 / 1500);
    expect(busy).toEqual([
      { name: 'write', place: 'src/writer.ts:10', share: 0.6 },
      { name: '(garbage collector)', place: '', share: 0.2 },
      { name: '(anonymous)', place: 'node:events:1', share: 0.2 },
    ]);
  });

  test('what lies outside of the window does not count', () => {
    const { busy } = selfTimes(profile, '/root', { fromMs: 2, toMs: 2.2 });
    expect(busy.map(({ name, share }) => [name, share])).toEqual([['(garbage collector)', 1]]);
  });
});

describe('the metrics page', () => {
  test('calls that failed are counted, those that were cut off or went well are not', () => {
    const line = (code: string, count: number) =>
      `sequence_rpc_duration_seconds_count{method="a/B",code="${code}",protocol="connect"} ${count}\n`;
    const page = `# HELP\n${line('OK', 90)}${line('CANCELLED', 7)}${line('INTERNAL', 2)}${line('INTERNAL', 1).replace('connect', 'grpc')}${line('ALREADY_EXISTS', 1)}`;
    const failed = { INTERNAL: 3, ALREADY_EXISTS: 1 };
    expect(Object.fromEntries(failedCalls(page))).toEqual(failed);
    expect(failedCalls('').size).toBe(0);
  });

  test('pauses of the garbage collector are those between two readings', () => {
    const page = (count: number, sum: number, below: readonly [string, number][]) =>
      [
        ...below.map(([le, n]) => `sequence_nodejs_gc_duration_seconds_bucket{le="${le}",kind="minor"} ${n}`),
        `sequence_nodejs_gc_duration_seconds_sum{kind="minor"} ${sum}`,
        `sequence_nodejs_gc_duration_seconds_count{kind="minor"} ${count}`,
      ].join('\n');
    const before = page(10, 0.01, [
      ['0.01', 10],
      ['0.1', 10],
    ]);
    const after = page(30, 0.51, [
      ['0.01', 25],
      ['0.1', 29],
    ]);
    expect(gcPauses(before, after)).toEqual([
      { kind: 'minor', pauses: 20, meanMs: 25, totalMs: 500, above10ms: 5, above100ms: 1 },
    ]);
    expect(gcPauses(after, after)).toEqual([]);
  });
});

test("h2load's log: only what was answered with 200 counts, microseconds become milliseconds", () => {
  const log = '1700000000000000\t200\t1500\n1700000000000001\t200\t2500\n1700000000000002\t503\t9000\n';
  expect(parseLog(log, 2)).toEqual({ calls: 2, perSecond: 1, p50: 1.5, p99: 2.5 });
  expect(parseLog('', 2)).toMatchObject({ calls: 0, perSecond: 0 });
});

describe('a constant rate', () => {
  test('every call is due once, at its own time, however late one looks', () => {
    const schedule = new Schedule(100, 0.1);
    expect([...schedule.due(0)]).toEqual([0]);
    expect([...schedule.due(9)]).toEqual([]);
    // A stall of 40 ms: the calls that it held up keep the times at which they were due.
    expect([...schedule.due(50)]).toEqual([10, 20, 30, 40, 50]);
    expect(schedule.ended).toBe(false);
    expect([...schedule.due(1_000)]).toEqual([60, 70, 80, 90]);
    expect(schedule.ended).toBe(true);
  });
});
