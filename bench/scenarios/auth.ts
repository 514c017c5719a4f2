import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { figureOf } from '../arithmetic.ts';
import { type Bench, type Scenario, sideOf } from '../bench.ts';
import { absent } from '../capabilities.ts';
import { benchFolder } from '../children.ts';

const TOKEN = 'a-token-of-the-bench-0123456789abcdef';
const TITLES = { tokens: 'AUTH=tokens', jwt: 'AUTH=jwt, keys cached' } as const;
const KINDS = ['tokens', 'jwt'] as const;

export const auth: Scenario = {
  name: 'auth',
  about: "what authentication takes of Generate's throughput: tokens, JWT",
  async run(bench: Bench) {
    const title = (kind: (typeof KINDS)[number]) =>
      `${TITLES[kind]}: what it takes of Generate's throughput, json, 64 callers`;
    if (!bench.capabilities.variable('AUTH')) {
      for (const kind of KINDS)
        bench.record({ id: `auth/${kind}`, title: title(kind), unit: 'share', skipped: absent('AUTH') });
      return;
    }
    const provider = await identityProvider(bench);
    const load = { call: 'generate', wire: 'json', callers: 64 } as const;
    const open = { PUBLIC_DIAGNOSTICS: 'on' };
    const sides = [];
    for (const [label, env, token] of [
      ['AUTH=none', { AUTH: 'none' }, undefined],
      ['AUTH=tokens', { AUTH: 'tokens', API_TOKENS_FILE: tokensFile(bench) }, TOKEN],
      ['AUTH=jwt', { AUTH: 'jwt', JWT_JWKS_URL: provider.url }, provider.jwt],
    ] as const) {
      // The database is filled before anybody is asked who he is.
      const server = await bench.server({ env: { ...open, ...env } });
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      sides.push({ label, server, load: { ...load, headers } });
    }
    const [none, ...measured] = await bench.measure('authentication', sides);
    for (const [index, kind] of KINDS.entries()) {
      const side = measured[index]!;
      const taken = side.perSecond.values.map((rate, round) => 1 - rate / none!.perSecond.values[round]!);
      const sides = [sideOf(side), sideOf(none!)];
      bench.record({
        id: `auth/${kind}`,
        title: title(kind),
        unit: 'share',
        value: figureOf(taken),
        sides,
      });
    }
  },
};

function tokensFile(bench: Bench): string {
  const folder = benchFolder();
  bench.onEnd(async () => folder.remove());
  const file = join(folder.path, 'tokens');
  writeFileSync(file, `bench write * ${createHash('sha256').update(TOKEN).digest('hex')}\n`);
  return file;
}

/** Gives out the key that its one token is signed with. */
async function identityProvider(bench: Bench): Promise<{ url: string; jwt: string }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' };
  const server = createServer((_, response) => response.end(JSON.stringify({ keys: [key] })));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  bench.onEnd(async () => {
    server.closeAllConnections();
    server.close();
  });
  const jwt = await new SignJWT({ sub: 'bench', roles: ['admin'] })
    .setProtectedHeader({ alg: 'ES256', kid: 'bench' })
    .setIssuedAt()
    .setExpirationTime('2h')
    .sign(privateKey);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, jwt };
}
