import { describe, test } from 'vitest';
import { KINDS } from './harness.ts';
import { always, endure, type Weather } from './outage.ts';

const imports = (request: { route: string }) => request.route === 'import';

const WEATHER: readonly Weather[] = [
  { name: 'refuses the connection', begin: (d) => d.server.refuse(), end: (d) => d.server.open() },
  { name: 'hangs', begin: always({ kind: 'hang' }) },
  {
    name: 'hangs, and applies the request when the client has gone',
    begin: always({ kind: 'hang', apply: 'on-close', lateMs: 150 }),
  },
  {
    name: 'hangs, and applies every request after the outage',
    // Longer than the outage: what is promised of a request that is applied later still is nothing.
    env: { SYNC_SETTLE: '2s' },
    begin: always({ kind: 'hang', apply: 'held' }),
    end: (double) => {
      double.faults.clear();
      setTimeout(() => double.server.applyHeld(), 120);
    },
  },
  { name: 'resets before the answer', begin: always({ kind: 'reset', apply: 'now' }) },
  { name: 'resets half-way', begin: always({ kind: 'reset', apply: 'half' }) },
  { name: 'resets in the answer', begin: always({ kind: 'reset', apply: 'now', answer: 'half' }) },
  { name: 'ends in the answer', begin: always({ kind: 'truncate', end: 'close' }) },
  { name: 'ends in the answer, well-formed', begin: always({ kind: 'truncate', end: 'clean' }) },
  {
    name: 'answers with fewer lines',
    only: 'typesense',
    begin: always({ kind: 'fewer-lines' }, imports),
  },
  {
    name: 'flaps',
    total: false,
    begin: (double) => double.faults.flapping({ up: 3, down: 2, fault: { kind: 'reset', apply: 'half' } }),
  },
  { name: 'is slow', total: false, begin: always({ kind: 'delay', ms: 60 }) },
];

describe.each(KINDS)('%s', (kind) => {
  const weather = WEATHER.filter(({ only }) => only === undefined || only === kind);
  test.each(weather)('the index $name', (one) => endure(kind, one));
});
