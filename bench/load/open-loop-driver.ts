import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { Pool } from 'undici';
import { jsonBodies } from './bodies.ts';
import { CALLS } from './calls.ts';
import type { Latencies, OpenLoad, OpenLoadResult } from './open-loop.ts';
import { Schedule } from './schedule.ts';

const load = JSON.parse(process.argv[2]!) as OpenLoad;
const { path } = CALLS[load.call];
const next = jsonBodies(load.call, load.numbers);
const pool = new Pool(load.url, { connections: load.connections, pipelining: 1 });
const headers = { 'content-type': 'application/json' };
const whole = createHistogram({ figures: 3 });
const sentLate = createHistogram({ figures: 3 });
const seconds: RecordableHistogram[] = [];
const waiting: number[] = [];
let inFlight = 0;
let calls = 0;
let failed = 0;

const schedule = new Schedule(load.rate, load.seconds);
const started = performance.now();
const now = () => performance.now() - started;

function record(dueMs: number): void {
  const taken = Math.max(1, Math.round((now() - dueMs) * 1e6));
  const second = Math.floor(dueMs / 1000);
  seconds[second] ??= createHistogram({ figures: 3 });
  seconds[second].record(taken);
  whole.record(taken);
}

async function send(dueMs: number): Promise<void> {
  inFlight += 1;
  try {
    const { statusCode, body } = await pool.request({ path, method: 'POST', headers, body: next() });
    await body.dump();
    if (statusCode !== 200) failed += 1;
  } catch {
    failed += 1;
  }
  calls += 1;
  inFlight -= 1;
  record(dueMs);
  const held = waiting.shift();
  if (held !== undefined) void send(held);
}

function turn(): void {
  for (const dueMs of schedule.due(now())) {
    if (inFlight < load.connections) {
      sentLate.record(Math.max(1, Math.round((now() - dueMs) * 1e6)));
      void send(dueMs);
    } else waiting.push(dueMs);
  }
  if (schedule.ended && inFlight === 0 && waiting.length === 0) report();
  else if (load.spin) setImmediate(turn);
  else setTimeout(turn, 1);
}

function report(): void {
  const result: OpenLoadResult = {
    ...latencies(whole),
    calls,
    failed,
    sentLateP99: sentLate.percentile(99) / 1e6,
    timeline: [...seconds.entries()].flatMap(([second, histogram]) =>
      histogram === undefined ? [] : [{ second, calls: histogram.count, ...latencies(histogram) }],
    ),
  };
  process.stdout.write(JSON.stringify(result));
  void pool.close();
}

function latencies(histogram: RecordableHistogram): Latencies {
  const at = (percent: number) => histogram.percentile(percent) / 1e6;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.max / 1e6 };
}

turn();
