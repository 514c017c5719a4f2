import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createAuthenticator } from '../../src/rpc/auth/authenticator.ts';
import { covers } from '../../src/rpc/auth/caller.ts';
import { TokenIndex, tokenDigest } from '../../src/rpc/auth/digest.ts';
import { parseTokensFile } from '../../src/rpc/auth/tokens-file.ts';
import { startApp } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { capturedLog } from '../support/log-lines.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bearer, tokensText, writeTokens } from '../support/tokens-file.ts';
import { until } from '../support/until.ts';

const DIGEST = tokenDigest('secret');

describe('lines', () => {
  test('are callers by the hash of their token', () => {
    const { tokens, certificates } = parseTokensFile(
      `\uFEFF# comment\r\n\n  alice\twrite  play-*,other ${DIGEST.toUpperCase()} \r\ncert:CN=x read *`,
    );
    const alice = tokens.get(DIGEST)!;
    expect(alice.name).toBe('alice');
    expect(covers(alice.grant, 'write', 'play-1')).toBe(true);
    expect(covers(alice.grant, 'read', 'other')).toBe(true);
    expect(covers(alice.grant, 'admin', 'play-1')).toBe(false);
    expect(covers(alice.grant, 'read', 'third')).toBe(false);
    expect(certificates.get('CN=x')?.name).toBe('cert:CN=x');
  });

  test('of one name are tokens of one caller', () => {
    const { tokens } = parseTokensFile(`a read * ${DIGEST}\na read * ${tokenDigest('next')}`);
    expect([...tokens.values()].map(({ name }) => name)).toEqual(['a', 'a']);
  });

  test.each([
    ['alice write play', 'is not'],
    [`alice write * ${DIGEST} more`, 'is not'],
    [`cert:alice write * ${DIGEST}`, 'is not'],
    [`al/ice write * ${DIGEST}`, 'has a name'],
    [`jwt:alice write * ${DIGEST}`, 'has a name'],
    ['cert: write *', 'has a name'],
    [`alice own * ${DIGEST}`, 'has a permission other than read, write, admin'],
    [`alice read,constructor * ${DIGEST}`, 'has a permission'],
    [`alice write ../* ${DIGEST}`, 'has a faulty scope'],
    [`alice write a,, ${DIGEST}`, 'has a faulty scope'],
    ['alice write * hunter2', 'does not end with the SHA-256'],
    [`a read * ${DIGEST}\nb read * ${DIGEST}`, 'has the token of another line'],
    ['cert:a read *\ncert:a write *', 'names a certificate that another line names'],
  ])('%j is refused, and nothing of it is repeated', (text, why) => {
    expect(() => parseTokensFile(text)).toThrow(new RegExp(`^line \\d ${why}`));
    expect(() => parseTokensFile(text)).not.toThrow(/hunter2|alice|[0-9a-f]{64}/);
  });
});

/** The median time of an attempt, the attempts taking turns. */
function medians(attempts: readonly (() => unknown)[], rounds: number): number[] {
  const times = attempts.map(() => new Float64Array(rounds));
  for (let round = 0; round < rounds; round++)
    for (const [index, attempt] of attempts.entries()) {
      const started = process.hrtime.bigint();
      for (let i = 0; i < 20; i++) attempt();
      times[index]![round] = Number(process.hrtime.bigint() - started);
    }
  return times.map((each) => each.sort()[rounds >> 1]!);
}

// A pause of the machine may fall upon one of them.
test('a token takes as long whether none, some, or almost all of it is right', { retry: 2 }, () => {
  const right = `seq_${'a'.repeat(43)}`;
  const tokens = new TokenIndex(
    new Map(
      [right, ...Array.from({ length: 1000 }, (_, i) => `other-${i}`)].map((token, i) => [
        tokenDigest(token),
        { name: `caller-${i}`, grant: { permission: undefined, scopes: undefined as never } },
      ]),
    ),
  );
  const authenticator = createAuthenticator({
    bearer: [(token) => tokens.find(token)],
    certificate: undefined,
    now: Date.now,
  });
  const attempt = (token: string) => () => {
    try {
      return authenticator.authenticate({ authorization: `Bearer ${token}`, certificate: undefined });
    } catch {
      return undefined;
    }
  };
  expect(attempt(right)()).toMatchObject({ name: 'caller-0' });
  expect(attempt(`${right.slice(0, -1)}b`)()).toBeUndefined();
  const wrong = [`b${right.slice(1)}`, `${right.slice(0, 20)}${'b'.repeat(27)}`, `${right.slice(0, -1)}b`];
  const [none, half, most] = medians(wrong.map(attempt), 1500);
  // Comparing text, the last would take longer; 20 % is what medians differ by on a machine that others use too.
  expect(Math.max(none!, half!, most!) / Math.min(none!, half!, most!)).toBeLessThan(1.2);
});

describe('a running service', () => {
  test('follows the file; a faulty one changes nothing and is logged once', async () => {
    const folder = await temporaryFolder();
    const file = await writeTokens(folder, { alice: ['write', '*', 'one'] });
    const { log, lines } = capturedLog();
    const { url } = await startApp({ AUTH: 'tokens', API_TOKENS_FILE: file }, { log });
    const client = sequenceClient(url);
    const reads = (token: string) =>
      client.getSequence({ elementType: 1 }, { headers: bearer(token) }).then(
        () => true,
        () => false,
      );
    expect([await reads('one'), await reads('two')]).toEqual([true, false]);

    await writeFile(file, tokensText({ alice: ['write', '*', 'two'] }));
    await until('the new token works', () => reads('two'));
    expect(await reads('one')).toBe(false);

    await writeFile(file, 'alice write * two');
    const faults = () => lines.filter(({ level }) => level === 'error');
    await until('the fault is logged', () => faults().length > 0);
    await sleep(1_200);
    expect(faults()).toMatchObject([
      { file, err: { message: expect.stringMatching(/^line 1 does not end/) } },
    ]);
    expect([await reads('one'), await reads('two')]).toEqual([false, true]);

    await writeFile(file, tokensText({ bob: ['write', '*', 'three'] }));
    await until('the file works again', () => reads('three'));
    expect(await reads('two')).toBe(false);
  });

  test('accepts ADMIN_TOKEN for everything, beside the file or alone', async () => {
    const { url } = await startApp({ AUTH: 'tokens', ADMIN_TOKEN: 'the-token-of-the-original' });
    const headers = bearer('the-token-of-the-original');
    const request = { scope: 'any', elementType: 1, elementId: 1n };
    expect(await sequenceClient(url).generate(request, { headers })).toMatchObject({ sequenceNumber: 1 });
    await expect(sequenceClient(url).generate(request)).rejects.toThrow('[unauthenticated]');
  });

  test('the file is where a person looks for it: a relative path is from the working directory', async () => {
    const folder = await temporaryFolder();
    await writeTokens(folder, { alice: ['read', '*', 'one'] });
    const file = join(folder, '.', 'tokens');
    const { url } = await startApp({ AUTH: 'tokens', API_TOKENS_FILE: file });
    const answer = sequenceClient(url).getSequence({ elementType: 1 }, { headers: bearer('one') });
    expect(await answer).toMatchObject({ size: 0 });
  });
});
