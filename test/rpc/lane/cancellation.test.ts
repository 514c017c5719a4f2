import { setTimeout } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Cancellation } from '../../../src/rpc/lane/cancellation.ts';

const once = { once: true } as const;
const LATER = 60_000;

test('listeners hear of the end as those of an AbortSignal do', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom('add', 'remove'), which: fc.nat({ max: 2 }) }),
    fc.record({ what: fc.constantFrom('leave', 'end'), which: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const cancellation = new Cancellation(Date.now() + LATER);
      const controller = new AbortController();
      const heard: number[] = [];
      const expected: number[] = [];
      const of = (log: number[]) => [0, 1, 2].map((which) => () => void log.push(which));
      const [listeners, models] = [of(heard), of(expected)];
      for (const { what, which } of steps) {
        if (what === 'add') {
          cancellation.addEventListener('abort', listeners[which]!, once);
          controller.signal.addEventListener('abort', models[which]!, once);
        } else if (what === 'remove') {
          cancellation.removeEventListener('abort', listeners[which]!);
          controller.signal.removeEventListener('abort', models[which]!);
        } else {
          if (what === 'leave') cancellation.leave();
          else cancellation.end();
          controller.abort(cancellation.reason);
        }
        expect(heard).toEqual(expected);
        expect(cancellation.aborted).toBe(controller.signal.aborted);
        expect(cancellation.reason).toBe(controller.signal.reason);
      }
      cancellation.end();
    }),
  );
});

test('it ends by itself when its time is over, for those who listen and for those who ask', async () => {
  const listened = new Cancellation(Date.now() + 20);
  const { promise, resolve } = Promise.withResolvers<void>();
  listened.addEventListener('abort', resolve, once);
  await promise;
  expect(listened.reason).toMatchObject({ code: Code.DeadlineExceeded });

  const asked = new Cancellation(Date.now() + 5);
  expect(asked.aborted).toBe(false);
  await setTimeout(10);
  expect(() => asked.throwIfAborted()).toThrow(ConnectError);
  expect(asked.signal.aborted).toBe(true);
  expect(asked.signal.reason).toBe(asked.reason);

  // Between the question and the listener its time passed: the listener is told all the same.
  const late = Promise.withResolvers<void>();
  new Cancellation(Date.now() - 1).addEventListener('abort', late.resolve, once);
  await late.promise;
});

test('its AbortSignal ends with it, and is told why', () => {
  const cancellation = new Cancellation(Date.now() + LATER);
  const { signal } = cancellation;
  expect(cancellation.signal).toBe(signal);
  cancellation.leave();
  expect(signal.reason).toMatchObject({ code: Code.Canceled });
  cancellation.end();
  expect(signal.reason).toBe(cancellation.reason);
});
