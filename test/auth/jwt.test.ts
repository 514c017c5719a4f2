import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { goodClaims, IdentityProvider, type Mood, signedWith } from '../support/identity-provider.ts';
import { capturedLog } from '../support/log-lines.ts';
import { startService } from '../support/service.ts';
import { reflect, STREAMS, TRANSPORTS } from '../support/streams.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bearer } from '../support/tokens-file.ts';
import { until } from '../support/until.ts';
import { call, WIRES, type Wire } from '../support/wire.ts';

const SECRET = 'a secret of more than thirty-two'.replaceAll(' ', '-');
const SEQUENCE = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
const NOW_S = () => Math.floor(Date.now() / 1000);

const read = (url: string, token: string, wire: Wire = 'connect-json', scope = 'play') =>
  call(url, wire, 'GetSequence', { ...SEQUENCE, scope }, bearer(token));
const codeOf = async (...args: Parameters<typeof read>) => (await read(...args)).code;
/** The same caller's streams, one over each protocol; reflection asks who calls where diagnostics are not public. */
const streams = (url: string, token: string) =>
  Promise.all(STREAMS.map((wire) => reflect(TRANSPORTS[wire](url), bearer(token))));
const ASKED = { AUTH: 'jwt', PUBLIC_DIAGNOSTICS: 'off' };

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('with a secret', () => {
  const start = (env: Record<string, string> = {}) => startApp({ ...ASKED, JWT_SECRET: SECRET, ...env });

  test.each(WIRES)('%s: a good token is let in, and known by its subject', async (wire) => {
    const { log, lines } = capturedLog();
    const { url } = await startApp({ AUTH: 'jwt', JWT_SECRET: SECRET }, { log });
    expect(await codeOf(url, await signedWith(SECRET), wire)).toBe('OK');
    expect(await codeOf(url, await signedWith(SECRET, {}, 'HS512'), wire)).toBe('OK');
    expect(lines.find(({ msg }) => msg === 'rpc')).toMatchObject({ caller: 'jwt:alice' });
  });

  test('a good token is let in, streaming', async () => {
    const { log, lines } = capturedLog();
    const { url } = await startApp({ ...ASKED, JWT_SECRET: SECRET }, { log });
    for (const { code } of await streams(url, await signedWith(SECRET))) expect(code).toBe('OK');
    const callers = lines.filter(({ msg }) => msg === 'rpc').map(({ caller }) => caller);
    expect(callers).toEqual(STREAMS.map(() => 'jwt:alice'));
  });

  const REFUSED: readonly (readonly [attempt: string, token: () => string | Promise<string>])[] = [
    ['another secret', () => signedWith(`${SECRET}!`)],
    ['alg=none', () => `${base64url({ alg: 'none' })}.${base64url(goodClaims())}.`],
    ['alg=None', () => `${base64url({ alg: 'None' })}.${base64url(goodClaims())}.`],
    [
      'alg=none with the signature of a good one',
      async () => {
        const [, payload, signature] = (await signedWith(SECRET)).split('.');
        return `${base64url({ alg: 'none' })}.${payload}.${signature}`;
      },
    ],
    [
      'a good one with other claims',
      async () => {
        const [head, , signature] = (await signedWith(SECRET)).split('.');
        return `${head}.${base64url({ ...goodClaims(), sub: 'bob' })}.${signature}`;
      },
    ],
    ['half of one', async () => (await signedWith(SECRET)).slice(0, -20)],
    ['expired', () => signedWith(SECRET, { exp: NOW_S() - 31 })],
    ['without an end', () => signedWith(SECRET, { exp: undefined } as unknown as JWTPayload)],
    ['not yet valid', () => signedWith(SECRET, { nbf: NOW_S() + 60 })],
    ['the wrong audience', () => signedWith(SECRET, { iss: 'issuer', aud: 'another-service' })],
    ['no audience', () => signedWith(SECRET, { iss: 'issuer' })],
    ['the wrong issuer', () => signedWith(SECRET, { iss: 'other', aud: 'sequence' })],
    ['without a subject', () => signedWith(SECRET, { sub: undefined } as unknown as JWTPayload)],
    ['a subject that acts on a terminal', () => signedWith(SECRET, { ...NAMED, sub: 'a\u001b[2J' })],
    ['a subject with NUL', () => signedWith(SECRET, { ...NAMED, sub: 'a\0b' })],
    ['a subject of half a pair', () => signedWith(SECRET, { ...NAMED, sub: 'a\ud800' })],
    ['roles that are no list', () => signedWith(SECRET, { ...NAMED, roles: { admin: true } })],
    ['scopes that climb', () => signedWith(SECRET, { ...NAMED, sequence_scopes: ['../*'] })],
    ['scopes that are no list', () => signedWith(SECRET, { ...NAMED, sequence_scopes: 7 })],
    [
      'a critical header that is not known',
      () =>
        new SignJWT({ ...goodClaims(), ...NAMED })
          .setProtectedHeader({ alg: 'HS256', crit: ['x'], x: 1 })
          .sign(Buffer.from(SECRET), { crit: { x: true } }),
    ],
  ];
  const NAMED = { iss: 'issuer', aud: 'sequence' };

  test.each(REFUSED)('%s: UNAUTHENTICATED', async (attempt, make) => {
    const named = { JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'sequence' };
    const { url } = await start(/issuer|audience/.test(attempt) ? named : {});
    const token = await make();
    for (const wire of WIRES) {
      const reply = await read(url, token, wire);
      expect(reply).toMatchObject({ code: 'UNAUTHENTICATED', info: { reason: 'UNAUTHENTICATED' } });
      expect(reply.body.toString() + reply.message).not.toContain(token);
    }
    for (const reply of await streams(url, token)) {
      expect(reply).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'UNAUTHENTICATED', found: 0 });
      expect(reply.message).not.toContain(token);
    }
  });

  test('clocks may differ by 30 s', async () => {
    const { url } = await start();
    expect(await codeOf(url, await signedWith(SECRET, { exp: NOW_S() - 25 }))).toBe('OK');
    expect(await codeOf(url, await signedWith(SECRET, { nbf: NOW_S() + 25 }))).toBe('OK');
  });

  test('the right issuer and audience, one of several too', async () => {
    const { url } = await start({ JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'sequence' });
    expect(await codeOf(url, await signedWith(SECRET, NAMED))).toBe('OK');
    expect(await codeOf(url, await signedWith(SECRET, { ...NAMED, aud: ['other', 'sequence'] }))).toBe('OK');
  });

  test('a token that was remembered ends when it expires', async () => {
    let now = Date.now();
    const { url } = await startApp({ ...ASKED, JWT_SECRET: SECRET }, { now: () => now });
    const token = await signedWith(SECRET, { exp: Math.floor(now / 1000) + 10 });
    expect([await codeOf(url, token), await codeOf(url, token)]).toEqual(['OK', 'OK']);
    now += 39_000;
    expect(await codeOf(url, token)).toBe('OK');
    now += 2_000;
    expect(await codeOf(url, token)).toBe('UNAUTHENTICATED');
    for (const { code } of await streams(url, token)) expect(code).toBe('UNAUTHENTICATED');
  });

  test.each([
    [{ roles: ['admin'] }, ['OK', 'OK', 'OK', 'OK', 'OK']],
    [{ roles: 'editor admin' }, ['OK', 'OK', 'OK', 'OK', 'OK']],
    [{ scope: 'openid sequence:admin' }, ['OK', 'OK', 'OK', 'OK', 'OK']],
    [{ scope: 'sequence:write' }, ['OK', 'OK', 'OK', 'PERMISSION_DENIED', 'OK']],
    [{ scope: 'sequence:read' }, ['OK', 'PERMISSION_DENIED', 'OK', 'PERMISSION_DENIED', 'OK']],
    [
      { scope: 'sequence:read sequence:write', sequence_scopes: ['play'] },
      ['OK', 'OK', 'PERMISSION_DENIED', 'PERMISSION_DENIED', 'OK'],
    ],
    [
      { roles: ['admin'], sequence_scopes: 'play pla-*' },
      ['OK', 'OK', 'PERMISSION_DENIED', 'PERMISSION_DENIED', 'OK'],
    ],
    [{ roles: ['admin'], sequence_scopes: [] }, Array(5).fill('PERMISSION_DENIED')],
    [
      { roles: ['user', 'administrator'], scope: 'sequence:owner xsequence:admin' },
      Array(5).fill('PERMISSION_DENIED'),
    ],
    [{}, Array(5).fill('PERMISSION_DENIED')],
  ])('%j: reads, writes, reads elsewhere, operates, streams: %j', async (claims, codes) => {
    const { url } = await start();
    const token = await new SignJWT({ sub: 'alice', exp: NOW_S() + 60, ...claims } as JWTPayload)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(SECRET));
    const operates = await fetch(`${url}/fountain.sequence.v1.SyncService/GetSyncStatus`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(token) },
      body: '{}',
    });
    expect([
      await codeOf(url, token),
      (await call(url, 'grpc', 'Generate', { ...SEQUENCE, elementId: '1' }, bearer(token))).code,
      await codeOf(url, token, 'grpc', 'elsewhere'),
      operates.status === 200 ? 'OK' : ((await operates.json()) as { code: string }).code.toUpperCase(),
      ...new Set((await streams(url, token)).map(({ code }) => code)),
    ]).toEqual(codes);
  });
});

describe('with a public key', () => {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: ReturnType<typeof pair>['publicKey']) =>
    key.export({ type: 'spki', format: 'pem' }).toString();
  const sign = (key: ReturnType<typeof pair>['privateKey']) =>
    new SignJWT(goodClaims()).setProtectedHeader({ alg: 'ES256' }).sign(key);

  test('HS256 signed with the public key as its secret: UNAUTHENTICATED', async () => {
    const { publicKey, privateKey } = pair();
    const file = join(await temporaryFolder(), 'key.pem');
    await writeFile(file, pem(publicKey));
    const { url } = await startApp({ ...ASKED, JWT_PUBLIC_KEY_FILE: file });
    expect(await codeOf(url, await sign(privateKey))).toBe('OK');
    const der = publicKey.export({ type: 'spki', format: 'der' });
    for (const secret of [
      pem(publicKey),
      pem(publicKey).trim(),
      der.toString('latin1'),
      der.toString('base64'),
    ]) {
      const token = await signedWith(secret);
      for (const wire of WIRES) expect(await codeOf(url, token, wire)).toBe('UNAUTHENTICATED');
      for (const { code } of await streams(url, token)) expect(code).toBe('UNAUTHENTICATED');
    }
    // A right signature of another kind than the key's.
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = await new SignJWT(goodClaims()).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
    expect(await codeOf(url, other)).toBe('UNAUTHENTICATED');
  });

  test('follows the file', async () => {
    const [first, second] = [pair(), pair()];
    const file = join(await temporaryFolder(), 'key.pem');
    await writeFile(file, pem(first.publicKey));
    const { url } = await startApp({ AUTH: 'jwt', JWT_PUBLIC_KEY_FILE: file });
    await writeFile(file, pem(second.publicKey));
    const token = await sign(second.privateKey);
    await until('the new key is known', async () => (await codeOf(url, token)) === 'OK');
    expect(await codeOf(url, await sign(first.privateKey))).toBe('UNAUTHENTICATED');
  });
});

describe('with keys at a URL', () => {
  async function start(mood: Mood = 'keys') {
    const provider = await IdentityProvider.start();
    provider.mood = mood;
    const { log, lines } = capturedLog();
    const { url } = await startApp({ ...ASKED, JWT_JWKS_URL: provider.url }, { log });
    return { provider, url, lines };
  }

  test('keys are fetched once for all who wait, and kept', async () => {
    const { provider, url } = await start();
    const token = await provider.sign();
    const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(url, token)));
    expect(new Set(codes)).toEqual(new Set(['OK']));
    expect(await codeOf(url, await provider.sign({ sub: 'bob' }))).toBe('OK');
    expect(provider.fetches).toBe(1);
  });

  test('a storm of unknown keys is one fetch, and does not hold up who is known', async () => {
    const { provider, url } = await start();
    const strangers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => provider.sign({ sub: `s${i}` }, `unknown-${i}`)),
    );
    const transports = STREAMS.map((wire) => TRANSPORTS[wire](url));
    const storm = Promise.all(
      strangers.map(async (token, i) => {
        const wire = WIRES[i % (WIRES.length + STREAMS.length)];
        if (wire !== undefined) return await codeOf(url, token, wire);
        return (await reflect(transports[i % STREAMS.length]!, bearer(token))).code;
      }),
    );
    expect(await codeOf(url, await provider.sign())).toBe('OK');
    expect(new Set(await storm)).toEqual(new Set(['UNAUTHENTICATED']));
    expect(provider.fetches).toBe(1);
  });

  /** Tries a service whose keys cannot be had; returns what waits until they can. */
  async function withoutKeys(
    mood: 'hang' | 'error' | 'rubbish' | 'huge',
    limitMs: number,
  ): Promise<() => Promise<unknown>> {
    const { provider, url, lines } = await start(mood);
    const token = await provider.sign();
    const started = performance.now();
    const [streamed, ...replies] = await Promise.all([
      streams(url, token),
      ...WIRES.map((wire) => read(url, token, wire)),
    ]);
    for (const { code, info } of replies)
      expect([mood, code, info?.reason]).toEqual([mood, 'UNAVAILABLE', 'AUTHENTICATION_UNAVAILABLE']);
    for (const { code, reason } of streamed)
      expect([mood, code, reason]).toEqual([mood, 'UNAVAILABLE', 'AUTHENTICATION_UNAVAILABLE']);
    expect(performance.now() - started).toBeLessThan(limitMs);
    expect(await codeOf(url, token)).toBe('UNAVAILABLE');
    expect(performance.now() - started).toBeLessThan(limitMs + 300);
    expect(provider.fetches).toBe(1);
    expect(lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toContain(
      'the keys of JWTs could not be fetched',
    );
    // Calls that ask for nobody go on meanwhile.
    expect((await fetch(`${url}/health`)).status).toBe(200);
    provider.mood = 'keys';
    return () =>
      until(`it works again after ${mood}`, async () => (await codeOf(url, token)) === 'OK', 8_000);
  }

  test('an endpoint that hangs, fails, answers rubbish or too much: UNAVAILABLE soon, then at once, then again', async () => {
    const recovering: (() => Promise<unknown>)[] = [];
    for (const [mood, limitMs] of [
      ['hang', 3_500],
      ['error', 1_000],
      ['rubbish', 1_000],
      ['huge', 1_500],
    ] as const)
      recovering.push(await withoutKeys(mood, limitMs));
    // Each asks again some seconds later: that is waited for once.
    await Promise.all(recovering.map((recovered) => recovered()));
  });

  test('a stop does not wait for keys that hang', async () => {
    const provider = await IdentityProvider.start();
    provider.mood = 'hang';
    const { child, ended, url } = await startService({ env: { AUTH: 'jwt', JWT_JWKS_URL: provider.url } });
    const asked = read(url, await provider.sign()).catch(() => undefined);
    await until('the keys are asked for', () => provider.fetches > 0);
    const started = performance.now();
    child.kill('SIGTERM');
    // The call that waits is answered first; then nothing holds the process.
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - started).toBeLessThan(5_000);
    await asked;
    // With nobody waiting, either.
    const again = await startService({ env: { AUTH: 'jwt', JWT_JWKS_URL: provider.url } });
    await call(again.url, 'connect-json', 'GetSequence', SEQUENCE, {
      ...bearer(await provider.sign()),
      'connect-timeout-ms': '50',
    });
    const late = performance.now();
    again.child.kill('SIGTERM');
    expect(await again.ended).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - late).toBeLessThan(1_500);
  });

  test('the connection to the keys does not hold up a stop', async () => {
    const provider = await IdentityProvider.start();
    const { child, ended, url } = await startService({ env: { AUTH: 'jwt', JWT_JWKS_URL: provider.url } });
    expect(await codeOf(url, await provider.sign())).toBe('OK');
    const started = performance.now();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  test('a caller’s deadline ends its wait for the keys', async () => {
    const { provider, url } = await start('hang');
    const token = await provider.sign();
    const started = performance.now();
    const reply = await call(url, 'connect-json', 'GetSequence', SEQUENCE, {
      ...bearer(token),
      'connect-timeout-ms': '200',
    });
    expect(reply.code).toBe('DEADLINE_EXCEEDED');
    expect(performance.now() - started).toBeLessThan(1_500);
  });
});

test('ADMIN_TOKEN is accepted beside JWTs', async () => {
  const { url } = await startApp({
    AUTH: 'jwt',
    JWT_SECRET: SECRET,
    ADMIN_TOKEN: 'the-token-of-the-original',
  });
  expect(await codeOf(url, 'the-token-of-the-original')).toBe('OK');
  expect(await codeOf(url, await signedWith(SECRET))).toBe('OK');
  expect(await codeOf(url, 'the-token-of-another')).toBe('UNAUTHENTICATED');
});
