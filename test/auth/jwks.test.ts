import type { FlattenedJWSInput } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { KeysUnavailable, remoteKeys } from '../../src/rpc/auth/jwks.ts';
import { IdentityProvider } from '../support/identity-provider.ts';

const MINUTE = 60_000;

/** The key source over a provider, on a clock of the test's own. */
async function source() {
  const provider = await IdentityProvider.start();
  const clock = { now: Date.now() };
  vi.spyOn(Date, 'now').mockImplementation(() => clock.now);
  const failures: KeysUnavailable[] = [];
  const { key } = remoteKeys({
    url: provider.url,
    onFailure: (error) => failures.push(error),
    now: () => clock.now,
    timeoutMs: 300,
  });
  const find = (kid: string) => key({ alg: 'ES256', kid }, {} as FlattenedJWSInput);
  return { provider, clock, failures, find };
}

describe('keys at a URL', () => {
  test('a rotated key is found at once when it is new, and again when 30 s are over', async () => {
    const { provider, clock, find } = await source();
    await find('first');
    await provider.rotate('second');
    await expect(find('second')).rejects.toThrow();
    clock.now += 31_000;
    await find('second');
    await expect(find('first')).rejects.toThrow();
    expect(provider.fetches).toBe(2);
  });

  test('a key that was withdrawn is forgotten after ten minutes', async () => {
    const { provider, clock, find } = await source();
    await find('first');
    await provider.rotate('second');
    clock.now += 9 * MINUTE;
    await find('first');
    clock.now += 2 * MINUTE;
    await expect(find('first')).rejects.toThrow();
  });

  test('the last keys hold for an hour where the endpoint is down', async () => {
    const { provider, clock, failures, find } = await source();
    await find('first');
    provider.mood = 'hang';
    clock.now += 11 * MINUTE;
    await find('first');
    expect(failures).toHaveLength(1);
    await find('first');
    expect(provider.fetches).toBe(2);
    clock.now += 50 * MINUTE;
    await expect(find('first')).rejects.toThrow(KeysUnavailable);
    provider.mood = 'keys';
    clock.now += 6_000;
    await find('first');
  });
});
