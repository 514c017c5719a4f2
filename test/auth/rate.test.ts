import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bearer, writeTokens } from '../support/tokens-file.ts';
import { call } from '../support/wire.ts';

test('RATE_LIMIT is for each caller by name, and guesses are counted by where they come from', async () => {
  const file = await writeTokens(await temporaryFolder(), {
    alice: ['read', 'play', 'seq_alice'],
    bob: ['read', 'play', 'seq_bob'],
  });
  const { url } = await startApp({ AUTH: 'tokens', API_TOKENS_FILE: file, RATE_LIMIT: '5/h' });
  const codesOf = async (token: string, scope = 'play') => {
    const codes: string[] = [];
    for (let i = 0; i < 6; i++) {
      const message = { scope, elementType: 'ELEMENT_TYPE_SCRIPT' };
      codes.push(
        (await call(url, i % 2 === 0 ? 'grpc' : 'connect-json', 'GetSequence', message, bearer(token))).code,
      );
    }
    return codes;
  };
  const limited = (code: string) => [...Array<string>(5).fill(code), 'RESOURCE_EXHAUSTED'];
  expect(await codesOf('seq_alice')).toEqual(limited('OK'));
  // What a caller may not do counts as well, and is its own affair.
  expect(await codesOf('seq_bob', 'elsewhere')).toEqual(limited('PERMISSION_DENIED'));
  expect(await codesOf('seq_guess')).toEqual(limited('UNAUTHENTICATED'));
});

test('guesses at /metrics count as well; who shows nothing there is no guesser', async () => {
  const file = await writeTokens(await temporaryFolder(), { alice: ['read', '*', 'seq_alice'] });
  const { url } = await startApp({
    AUTH: 'tokens',
    API_TOKENS_FILE: file,
    RATE_LIMIT: '3/h',
    PUBLIC_DIAGNOSTICS: 'off',
  });
  const statusesOf = async (headers: Record<string, string>, path = '/metrics') => {
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await fetch(url + path, { headers })).status);
    return statuses;
  };
  expect(await statusesOf({})).toEqual([401, 401, 401, 401]);
  expect(await statusesOf(bearer('seq_guess'))).toEqual([401, 401, 401, 429]);
  expect(await statusesOf(bearer('seq_guess'), '/readyz')).toEqual([200, 200, 200, 200]);
  expect(await statusesOf(bearer('seq_alice'))).toEqual([200, 200, 200, 200]);
});
