import { expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../../src/metrics.ts';
import { Breaker } from '../../src/sync/breaker.ts';
import { CallBounds } from '../../src/sync/call-bounds.ts';
import { Claim } from '../../src/sync/claims.ts';
import { Lanes } from '../../src/sync/lanes.ts';
import type { Verdict } from '../../src/sync/target.ts';
import { TypesenseTarget } from '../../src/sync/targets/typesense.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { COLLECTION } from './harness.ts';

async function start(timeoutMs = 5_000) {
  const double = await startTypesense();
  const target = new TypesenseTarget({ url: double.url, apiKey: double.apiKey, collection: COLLECTION });
  await target.prepare(AbortSignal.timeout(2_000));
  const breaker = new Breaker(
    {
      errorThresholdPercentage: 50,
      volumeThreshold: 5,
      windowMs: 10_000,
      minOpenMs: 5_000,
      maxOpenMs: 60_000,
    },
    () => {},
  );
  const bounds = new CallBounds(timeoutMs);
  const unsent: string[] = [];
  const ended: (readonly Verdict[] | Error)[] = [];
  const lanes = new Lanes({
    target,
    breaker,
    bounds,
    metrics: createMetrics().sync,
    operation: ({ id }) => ({ kind: 'delete', id }),
    onEnd: (_call, outcome) => ended.push(outcome),
    onUnsent: (claims) => unsent.push(...claims.map(({ id }) => id)),
  });
  onTestFinished(async () => {
    bounds.cutOff();
    breaker.close();
    await target.close();
  });
  return { double, lanes, unsent, ended };
}

function claim(elementId: number, leaseMs: number): Claim {
  const due = {
    sequenceId: 1,
    elementId,
    versionNumber: 1,
    scope: 's',
    elementType: 'script',
    mark: 'm',
    wantedRevision: 1,
    sinceTime: 0,
    attempts: 0,
  } as const;
  return new Claim(`s_script_${elementId}_1`, due, null, {
    leaseEnd: performance.now() + leaseMs,
    generation: 1,
  });
}

test('what has no lease any more is not sent', async () => {
  const { double, lanes, unsent, ended } = await start();
  const calls = double.log.total;
  lanes.offer([claim(1, -1), claim(2, 1_000), claim(3, -1)]);
  await lanes.end();
  expect(unsent).toEqual(['s_script_1_1', 's_script_3_1']);
  expect(ended).toEqual([[{ kind: 'acknowledged' }]]);
  expect(double.log.total - calls).toBe(1);
});

test('a call ends with the first lease of its documents', async () => {
  const { double, lanes, ended } = await start();
  double.faults.always({ kind: 'hang' });
  const started = performance.now();
  lanes.offer([claim(1, 10_000), claim(2, 120)]);
  await lanes.end();
  expect(ended).toMatchObject([{ name: 'OutageError', unanswered: true }]);
  const took = performance.now() - started;
  expect(took).toBeGreaterThan(100);
  expect(took).toBeLessThan(2_000);
});

test('halted, nothing begins; after the end, it may again', async () => {
  const { double, lanes, unsent, ended } = await start();
  const calls = double.log.total;
  lanes.halt();
  lanes.offer([claim(1, 1_000)]);
  await lanes.end();
  expect([unsent, double.log.total - calls]).toEqual([['s_script_1_1'], 0]);
  lanes.offer([claim(1, 1_000)]);
  await lanes.end();
  expect(ended).toHaveLength(1);
});

test('a failed batch holds back the rest, which is given back unsent', async () => {
  const { double, lanes, unsent, ended } = await start();
  double.faults.next({ kind: 'reset' });
  // Two calls: a batch holds 256 at first.
  lanes.offer(Array.from({ length: 300 }, (_, index) => claim(index + 1, 5_000)));
  await lanes.end();
  expect(ended).toMatchObject([{ name: 'OutageError' }]);
  expect(unsent).toHaveLength(44);
});
