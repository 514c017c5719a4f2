import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

// The same cases every time; `npm run fuzz` tries new ones, and more.
const CASES = 2_000;
const SEED = 20_261_124;

test('the lane answers as the stock adapter does, whatever is sent', { timeout: 300_000 }, async () => {
  const { cases, requests, taken, statuses } = await fuzz(CASES, SEED);
  expect(cases).toBe(CASES);
  // They met both ways, and many kinds of answer.
  expect(taken).toBeGreaterThan(requests / 2);
  expect(taken).toBeLessThan(requests);
  for (const status of [200, 400, 404, 405, 409, 415, 429, 431])
    expect(statuses[status] ?? 0, `${status}`).toBeGreaterThan(0);
});
