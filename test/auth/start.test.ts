import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { startMain, startService } from '../support/service.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe('an address that others can reach', () => {
  test.each(['0.0.0.0', '::'])('HOST=%s without AUTH is refused, in one line', async (host) => {
    const { code, stdout, stderr } = await (await startMain({ env: { HOST: host } })).ended;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `HOST is ${host}, which others can reach: set AUTH=tokens or AUTH=jwt, or AUTH=none to let everybody in\n`,
    });
    expect(stdout).not.toContain('serving');
  });

  test('AUTH=none, said in so many words, lets everybody in', async () => {
    const { port } = await startService({ env: { HOST: '0.0.0.0', AUTH: 'none' } });
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  });

  test.each(['localhost', '127.0.0.1'])('%s needs nothing said', async (host) => {
    const { port } = await startService({ env: { HOST: host } });
    expect(port).toBeGreaterThan(0);
  });
});

describe('what cannot be used says so in one line, exit code 1:', () => {
  async function refused(env: Record<string, string>, files: Record<string, string> = {}) {
    const cwd = await temporaryFolder();
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    const { code, stderr } = await (await startMain({ env, cwd })).ended;
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    return stderr;
  }

  test('a tokens file with a faulty line', async () => {
    const env = { AUTH: 'tokens', API_TOKENS_FILE: 'tokens' };
    expect(await refused(env, { tokens: '# x\nalice write * hunter2\n' })).toMatch(
      /^API_TOKENS_FILE cannot be used: line 2 does not end with the SHA-256 of a token/,
    );
    expect(await refused(env)).toContain('ENOENT');
  });

  test('a secret of JWTs that could be guessed', async () => {
    expect(await refused({ AUTH: 'jwt', JWT_SECRET: 'short' })).toMatch(
      /^JWT_SECRET cannot be used: it is shorter/,
    );
  });

  test('a private key in the place of the public one', async () => {
    const pem = '-----BEGIN PRIVATE KEY-----\n';
    const env = { AUTH: 'jwt', JWT_PUBLIC_KEY_FILE: 'key' };
    expect(await refused(env, { key: pem })).toMatch(
      /^JWT_PUBLIC_KEY_FILE cannot be used: it holds a private key/,
    );
  });

  test('certificates that are none', async () => {
    const env = { TLS_CERT_FILE: 'cert', TLS_KEY_FILE: 'key' };
    expect(await refused(env, { cert: 'x', key: 'y' })).toMatch(/^the files of TLS cannot be used: /);
  });
});

describe('the configuration', () => {
  const faults = (env: Record<string, string>) => {
    try {
      loadConfig(env, { cwd: '/srv' });
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };

  test.each([
    [{ AUTH: 'tokens' }, 'AUTH=tokens needs API_TOKENS_FILE or ADMIN_TOKEN'],
    [{ AUTH: 'jwt' }, 'AUTH=jwt needs exactly one of'],
    [{ AUTH: 'jwt', JWT_SECRET: 'x', JWT_JWKS_URL: 'https://x' }, 'AUTH=jwt needs exactly one of'],
    [{ AUTH: 'password' }, 'AUTH must be one of empty, none, tokens, jwt'],
    [{ TLS_CERT_FILE: 'a' }, 'TLS_CERT_FILE and TLS_KEY_FILE must be set together'],
    [{ TLS_CLIENT_CA_FILE: 'a' }, 'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE'],
    [
      { AUTH: 'jwt', JWT_SECRET: 'x', TLS_CERT_FILE: 'a', TLS_KEY_FILE: 'a', TLS_CLIENT_CA_FILE: 'a' },
      'TLS_CLIENT_CA_FILE with AUTH=tokens or jwt needs API_TOKENS_FILE',
    ],
    [{ SEQUENCE_KEY_FILE: 'a' }, 'SEQUENCE_CERT_FILE and SEQUENCE_KEY_FILE must be set together'],
  ])('%j: %s', (env, fault) => {
    expect(faults(env)).toEqual([expect.stringContaining(fault)]);
  });

  describe('secrets from files', () => {
    const SECRETS = [
      'ADMIN_TOKEN',
      'JWT_SECRET',
      'TYPESENSE_API_KEY',
      'TYPESENSE_SERVICE_API_KEY',
      'SEQUENCE_TOKEN',
    ];

    test.each(SECRETS)('%s_FILE', async (name) => {
      const cwd = await temporaryFolder();
      await writeFile(join(cwd, 'secret'), '  geheim\n');
      const read = loadConfig({ [`${name}_FILE`]: 'secret' }, { cwd });
      expect({ ...read, warnings: [] }).toEqual({
        ...loadConfig({ [name]: 'geheim' }, { cwd }),
        warnings: [],
      });
      expect(read.warnings).toEqual([]);
    });

    test('DATABASE_URL_FILE, whose URL may hold a password', async () => {
      const cwd = await temporaryFolder();
      await writeFile(join(cwd, 'url'), 'sqlite:////srv/x.db\n');
      expect(loadConfig({ DATABASE_URL_FILE: 'url' }, { cwd }).database.url).toMatchObject({
        file: '/srv/x.db',
      });
    });

    test('faults do not repeat what the file holds', async () => {
      const cwd = await temporaryFolder();
      await writeFile(join(cwd, 'secret'), 'ge heim');
      await writeFile(join(cwd, 'empty'), ' \n');
      const faultOf = (env: Record<string, string>) => {
        try {
          loadConfig(env, { cwd });
          return '';
        } catch (error) {
          return (error as ConfigError).faults.join();
        }
      };
      expect(faultOf({ ADMIN_TOKEN_FILE: 'secret' })).toBe(
        'ADMIN_TOKEN must be visible ASCII characters without blanks, or empty',
      );
      expect(faultOf({ ADMIN_TOKEN_FILE: 'empty' })).toMatch(
        /^ADMIN_TOKEN cannot be taken from the file of ADMIN_TOKEN_FILE: it is empty/,
      );
      expect(faultOf({ ADMIN_TOKEN_FILE: 'missing' })).toContain('ENOENT');
      expect(faultOf({ ADMIN_TOKEN_FILE: 'secret', ADMIN_TOKEN: 'x' })).toBe(
        'ADMIN_TOKEN and ADMIN_TOKEN_FILE must not both be set',
      );
    });
  });
});
