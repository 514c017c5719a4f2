import fc from 'fast-check';
import { answers, type Fault } from '../support/typesense/faults.ts';
import type { Double } from './harness.ts';

/** What an index can do wrong; what it applies late, it applies within the 100 ms that the test promises. */
const one: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    kind: fc.constant('hang' as const),
    apply: fc.constantFrom('never' as const, 'now' as const, 'half' as const, 'on-close' as const),
    lateMs: fc.nat(50),
  }),
  fc.record({
    kind: fc.constant('reset' as const),
    apply: fc.constantFrom('never' as const, 'now' as const, 'half' as const),
  }),
  fc.constant({ kind: 'reset', apply: 'now', answer: 'half' } as const),
  fc.record({ kind: fc.constant('refuse' as const), forMs: fc.nat(30) }),
  fc.record({ kind: fc.constant('truncate' as const), end: fc.constantFrom('clean', 'close', 'reset') }),
  fc.record({ kind: fc.constant('fewer-lines' as const) }),
  fc.record({ kind: fc.constant('delay' as const), ms: fc.nat(60) }),
  fc.constantFrom(
    answers.html(),
    answers.html(502),
    answers.empty(200),
    answers.empty(500),
    answers.notReady(),
    answers.diskFull(),
    answers.tooMany('0'),
    answers.error(401, 'Forbidden'),
    answers.error(404, 'Not Found'),
    answers.error(404, 'Collection not found'),
    answers.detail(500, 'Connection refused'),
  ),
);

/** A fault for the next request, for some, for every second one, or for all until it is cleared. */
export const faultArbitrary = fc.record({
  do: fc.constant('fault' as const),
  fault: one,
  how: fc.constantFrom('next' as const, 'three' as const, 'flapping' as const, 'always' as const),
});

export function beginFault({ faults }: Double, { fault, how }: { fault: Fault; how: string }): void {
  // A port that closes needs a request to open again by itself.
  if (how === 'next' || fault.kind === 'refuse') faults.next(fault);
  else if (how === 'three') faults.next([fault, fault, fault]);
  else if (how === 'flapping') faults.flapping({ up: 1, down: 1, fault });
  else faults.always(fault);
}

/** Good weather again. */
export async function clearFaults(double: Double): Promise<void> {
  double.faults.clear();
  await double.server.open();
}
