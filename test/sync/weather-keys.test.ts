import { describe, expect, test } from 'vitest';
import type { KeyServiceDouble } from '../support/key-service/key-service-double.ts';
import { RUBBISH } from '../support/key-service/rubbish.ts';
import { startKeyService } from '../support/key-service/start.ts';
import { answers, type Fault } from '../support/typesense/faults.ts';
import { startClientService } from '../support/typesense-client/start.ts';
import { until } from '../support/until.ts';
import { AT, converged, dirty, type Follower, follow, generated } from './harness.ts';
import { atPeace, noBusyLoop } from './outage.ts';

const SERVICE = 'sequence-service';

async function start() {
  const double = await startClientService({ apiKey: 'first-key' });
  const keys = await startKeyService({ keys: { [SERVICE]: 'first-key' } });
  const env = { TYPESENSE_CLIENT_URL: double.url, KEY_MANAGEMENT_URL: keys.url, ADMIN_TOKEN: 'admin-token' };
  return { double, keys, env };
}

const WEATHER: Readonly<Record<string, (keys: KeyServiceDouble) => unknown>> = {
  'is down': (keys) => keys.server.refuse(),
  hangs: (keys) => keys.faults.always({ kind: 'hang' }),
  'resets in the answer': (keys) => keys.faults.always({ kind: 'reset', apply: 'now', answer: 'half' }),
  'answers 401': (keys) => {
    keys.adminToken = 'another';
  },
  'does not know the service': (keys) => keys.faults.always(answers.detail(404, 'API key not found')),
  'answers 500': (keys) => keys.faults.always(answers.empty(500)),
  'answers without end': (keys) =>
    keys.faults.always({ kind: 'answer', status: 200, body: ' '.repeat(1_000_000) }),
  ...Object.fromEntries(
    Object.entries(RUBBISH).map(([name, fault]: [string, Fault]) => [
      `answers rubbish: ${name}`,
      (keys: KeyServiceDouble) => keys.faults.always(fault),
    ]),
  ),
};
/** How often the service asked for a key in vain, whether it reached anybody or not. */
async function failedRefreshes({ app }: Follower): Promise<number> {
  const metric = await app.metrics.registry.getSingleMetric('sequence_sync_key_refreshes_total')!.get();
  return metric.values.find(({ labels }) => labels['outcome'] === 'failed')?.value ?? 0;
}

async function clear(keys: KeyServiceDouble) {
  keys.faults.clear();
  keys.adminToken = 'admin-token';
  await keys.server.open();
}

describe('the key service', () => {
  test.each(Object.entries(WEATHER))('%s at the start', async (_name, begin) => {
    const { double, keys, env } = await start();
    await begin(keys);
    const follower = await follow(env);
    await follower.client.generate({ ...AT, elementId: 1n });
    await until('a failure', async () => (await follower.sync.getSyncStatus({})).lastError !== '');
    const { lastError } = await follower.sync.getSyncStatus({});
    expect(lastError).toContain('key management service');
    expect(lastError).not.toContain('admin-token');
    expect(double.log.total).toBe(0);
    const asked = await failedRefreshes(follower);
    await noBusyLoop(follower, double, 300);
    expect(((await failedRefreshes(follower)) - asked) / 0.3).toBeLessThan(60);
    await clear(keys);
    await converged(follower.file, double);
    await atPeace(follower, double);
  });

  test('is slow: asked once, not once a document', async () => {
    const { double, keys, env } = await start();
    keys.faults.always({ kind: 'delay', ms: 80 });
    const follower = await follow(env);
    await generated(follower, double, 1, 50);
    expect(keys.fetches).toBe(1);
  });
});

describe('the key is rotated', () => {
  test.each([401, 403] as const)(
    'it is fetched again after %s, once for all that is in flight',
    async (status) => {
      const { double, keys, env } = await start();
      double.refusal = status;
      const follower = await follow(env);
      await generated(follower, double, 1, 10);
      double.rotateKey(keys.rotate(SERVICE));
      await generated(follower, double, 100, 160);
      expect(keys.fetches).toBe(2);
      const { registry } = follower.app.metrics;
      expect(await registry.getSingleMetricAsString('sequence_sync_key_refreshes_total')).toContain(
        'outcome="ok"} 2',
      );
    },
  );

  test('and the key service is down: the last good key is kept, and good again if it comes back', async () => {
    const { double, keys, env } = await start();
    const follower = await follow(env);
    await generated(follower, double, 1, 10);
    double.rotateKey('second-key');
    await keys.server.refuse();
    await follower.client.createVersion({ ...AT, elementId: 1n });
    await until('a failure', async () => (await follower.sync.getSyncStatus({})).lastError !== '');
    expect((await dirty(follower.file)).dirty).toBeGreaterThan(0);
    await noBusyLoop(follower, double);
    double.rotateKey('first-key');
    await converged(follower.file, double);
  });

  test('before the key service knows: tried again until it does', async () => {
    const { double, keys, env } = await start();
    const follower = await follow(env);
    await generated(follower, double, 1, 10);
    double.rotateKey('second-key');
    await follower.client.createVersion({ ...AT, elementId: 1n });
    await until('it was asked', () => keys.fetches >= 2);
    const asked = keys.fetches;
    await noBusyLoop(follower, double, 300);
    expect((keys.fetches - asked) / 0.3).toBeLessThan(60);
    keys.rotate(SERVICE, 'second-key');
    await converged(follower.file, double);
  });
});
