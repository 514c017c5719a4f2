import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { reflect, TRANSPORTS } from '../support/streams.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bearer, writeTokens } from '../support/tokens-file.ts';

async function reflects(port: number, headers = {}): Promise<boolean> {
  return (await reflect(TRANSPORTS.grpc(`http://127.0.0.1:${port}`), headers)).code === 'OK';
}

async function seen(port: number, headers = {}) {
  const url = `http://127.0.0.1:${port}`;
  const [metrics, readyz, health, livez] = await Promise.all(
    ['/metrics', '/readyz', '/health', '/livez'].map((path) => fetch(url + path, { headers })),
  );
  // Probes get their answer always.
  expect([readyz?.status, health?.status, livez?.status]).toEqual([200, 200, 200]);
  const ready = (await readyz!.json()) as { status: string; checks?: object };
  expect(ready.status).toBe('ready');
  return {
    metrics: metrics!.status,
    details: ready.checks !== undefined,
    reflection: await reflects(port, headers),
  };
}

const ALL = { metrics: 200, details: true, reflection: true };

describe('PUBLIC_DIAGNOSTICS', () => {
  const start = async (env: Record<string, string>) => {
    const file = await writeTokens(await temporaryFolder(), {
      prometheus: ['read', '*', 'seq_prometheus'],
      tenant: ['admin', 'play-*', 'seq_tenant'],
    });
    return (await startApp({ AUTH: 'tokens', API_TOKENS_FILE: file, ...env })).port;
  };

  test.each([
    ['auto, on the loopback address', {}],
    ['on', { PUBLIC_DIAGNOSTICS: 'on', HOST: '0.0.0.0' }],
    ['auto, where nobody is asked', { AUTH: 'none', HOST: '0.0.0.0' }],
  ])('%s: for everybody', async (_, env) => {
    expect(await seen(await start(env))).toEqual(ALL);
  });

  test.each([
    ['auto, elsewhere', { HOST: '0.0.0.0' }],
    ['off', { PUBLIC_DIAGNOSTICS: 'off' }],
  ])('%s: for who may read every scope', async (_, env) => {
    const port = await start(env);
    expect(await seen(port)).toEqual({ metrics: 401, details: false, reflection: false });
    expect(await seen(port, bearer('seq_wrong'))).toEqual({
      metrics: 401,
      details: false,
      reflection: false,
    });
    expect(await seen(port, bearer('seq_tenant'))).toEqual({
      metrics: 403,
      details: false,
      reflection: true,
    });
    expect(await seen(port, bearer('seq_prometheus'))).toEqual(ALL);
    const refused = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refused.json()).toEqual({ status: 'unauthenticated' });
  });

  test('off where nobody is asked: for nobody', async () => {
    const port = await start({ AUTH: 'none', PUBLIC_DIAGNOSTICS: 'off' });
    expect(await seen(port)).toEqual({ metrics: 403, details: false, reflection: false });
  });
});
