import { execFile } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { Authority, HAS_OPENSSL, LOCALHOST } from '../support/certificates.ts';
import { signedWith } from '../support/identity-provider.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const run = promisify(execFile);
const section = (await readFile(join(ROOT, 'README.md'), 'utf8'))
  .split(/^## /m)
  .find((text) => text.startsWith('Who may call'))!;
const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
const [create, withToken, withCertificate] = blocks as [string, string, string];
const ASKED = 3;

/** Runs commands of the README in a folder, against a service elsewhere; answers what each call printed. */
async function perform(commands: string, cwd: string, port: number): Promise<string> {
  const here = commands
    .replaceAll('npx node src/cli.ts', `${process.execPath} ${ROOT}/src/cli.ts`)
    .replaceAll('npx buf', `${ROOT}/node_modules/.bin/buf`)
    .replaceAll('node examples/', `${process.execPath} ${ROOT}/examples/`)
    .replaceAll(/^curl /gm, 'curl --silent --show-error ')
    .replaceAll(/(127\.0\.0\.1|localhost):8080/g, `$1:${port}`);
  const { stdout } = await run('bash', ['-e', '-c', here], { cwd, timeout: 25_000 });
  return stdout;
}

const answers = (output: string) => output.match(/nextSequenceNumber"?:? 1|nextSequenceNumber":1/g);

describe('README, who may call', () => {
  test('has commands for a token and for a certificate', () => {
    expect(blocks).toHaveLength(3);
    for (const block of [withToken, withCertificate])
      for (const tool of ['curl ', 'buf curl', 'grpc-js-secure.mjs']) expect(block).toContain(tool);
  });

  test('with a token that its command makes', async () => {
    const cwd = await temporaryFolder();
    expect(await perform(create, cwd, 0)).toBe('');
    const tokens = { AUTH: 'tokens', API_TOKENS_FILE: join(cwd, 'tokens'), PUBLIC_DIAGNOSTICS: 'off' };
    const { port } = await startApp(tokens);
    expect(answers(await perform(withToken, cwd, port))).toHaveLength(ASKED);
    // The same commands are refused where the token is another.
    const other = withToken.replace('$(cat alice.token)', 'other');
    expect(await perform(`set +e\n${other}\ntrue`, cwd, port)).not.toContain('nextSequenceNumber');
  });

  test('with a JWT in its place', async () => {
    const secret = 'a-secret-of-more-than-thirty-two-characters';
    const { port } = await startApp({ AUTH: 'jwt', JWT_SECRET: secret, PUBLIC_DIAGNOSTICS: 'off' });
    const jwt = await signedWith(secret, { roles: [], scope: 'sequence:read', sequence_scopes: ['play'] });
    const commands = withToken.replace('$(cat alice.token)', jwt);
    expect(answers(await perform(commands, await temporaryFolder(), port))).toHaveLength(ASKED);
  });

  test.skipIf(!HAS_OPENSSL)(
    `with a client certificate${HAS_OPENSSL ? '' : ' (skipped: no openssl)'}`,
    async () => {
      const cwd = await temporaryFolder();
      const authority = new Authority(cwd, 'authority');
      const server = authority.issue('server', LOCALHOST);
      const alice = authority.issue('alice', { subject: '/CN=alice' });
      for (const [file, name] of [
        [authority.ca.certFile, 'ca.pem'],
        [alice.certFile, 'alice.pem'],
        [alice.keyFile, 'alice.key'],
      ] as const)
        await cp(file, join(cwd, name));
      const { port } = await startApp({
        TLS_CERT_FILE: server.certFile,
        TLS_KEY_FILE: server.keyFile,
        TLS_CLIENT_CA_FILE: authority.ca.certFile,
      });
      expect(answers(await perform(withCertificate, cwd, port))).toHaveLength(ASKED);
      const shown = section.match(/^TLS_CERT_FILE=.*$/m)?.[0];
      for (const variable of ['TLS_CERT_FILE', 'TLS_KEY_FILE', 'TLS_CLIENT_CA_FILE'])
        expect(shown).toContain(variable);
    },
  );
});
