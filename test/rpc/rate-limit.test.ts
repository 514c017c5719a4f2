import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { peerName, RateLimiter } from '../../src/rpc/rate-limit.ts';
import { startApp } from '../support/app.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { call, exchange, headersOf, WIRES } from '../support/wire.ts';

const AT = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };

/** How many of so many calls of each caller are allowed. */
async function allowed(limiter: RateLimiter, callers: readonly string[], each: number): Promise<number[]> {
  return await Promise.all(
    callers.map(async (caller) => {
      let count = 0;
      for (let number = 0; number < each; number++)
        await limiter.count(caller).then(
          () => count++,
          () => {},
        );
      return count;
    }),
  );
}

describe('the limiter', () => {
  test('allows each caller its calls, and no more until the time is over', async () => {
    const limiter = new RateLimiter({ calls: 5, perMs: 1_000 });
    expect(await allowed(limiter, ['a', 'b'], 9)).toEqual([5, 5]);
    const error = await limiter.count('a').catch((thrown) => thrown);
    expect(error).toMatchObject({
      reason: 'RATE_LIMITED',
      message: expect.stringContaining('5 calls in 1 s'),
    });
    expect(error.retryAfterMs).toBeLessThanOrEqual(1_000);
    await sleep(error.retryAfterMs + 20);
    expect(await allowed(limiter, ['a'], 9)).toEqual([5]);
  });

  test('knows so many callers; the others share one allowance', async () => {
    const limiter = new RateLimiter({ calls: 3, perMs: 60_000 }, 2);
    expect(await allowed(limiter, ['a', 'b'], 4)).toEqual([3, 3]);
    const others = await allowed(limiter, ['c', 'd', 'e'], 4);
    expect(others.reduce((sum, count) => sum + count)).toBe(3);
  });
});

describe('a peer', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('%s is %s', (address, name) => expect(peerName(address)).toBe(name));

  test('keeps its name whatever the second half of its IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
        expect(peerName(a)).toMatch(/^[0-9a-f:.]+(::\/64)?$/);
        const half =
          a.includes('::') || a.includes('.') ? '2001:db8:1:2' : a.split(':').slice(0, 4).join(':');
        const rest = b.includes('::') || b.includes('.') ? '5:6:7:8' : b.split(':').slice(4).join(':');
        expect(peerName(`${half}:${rest}`)).toBe(peerName(`${half}:1:2:3:4`));
      }),
    );
  });
});

test('over the wire: RATE_LIMITED with RetryInfo in each protocol; health is not counted, nor is anything written', async () => {
  const { url } = await startApp({ RATE_LIMIT: '10/m' });
  for (let elementId = 1; elementId <= 10; elementId++)
    expect(await call(url, 'grpc', 'Generate', { ...AT, elementId: String(elementId) })).toMatchObject({
      code: 'OK',
    });
  for (const wire of WIRES) {
    const refused = await call(url, wire, 'Generate', { ...AT, elementId: '11' });
    expect(refused).toMatchObject({ code: 'RESOURCE_EXHAUSTED', info: { reason: 'RATE_LIMITED' } });
    expect(refused.retryDelayMs).toBeGreaterThan(50_000);
    expect(refused.retryDelayMs).toBeLessThanOrEqual(60_000);
    expect(String(refused.retryDelayMs)).toBe(refused.info!.metadata['retry_after_ms']);
  }
  expect((await metricsOf(url)).get('sequence_rpc_rate_limited_total')).toBe(WIRES.length);
  const health = {
    path: '/grpc.health.v1.Health/Check',
    headers: headersOf('connect-json'),
    body: Buffer.from('{}'),
  };
  expect(await exchange(url, 'connect-json', 'Check', health)).toMatchObject({ status: 200 });
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test('without RATE_LIMIT there is none', async () => {
  const { url } = await startApp();
  for (let count = 0; count < 50; count++)
    expect(await call(url, 'connect-json', 'GetSequence', AT)).toMatchObject({ code: 'OK' });
});
