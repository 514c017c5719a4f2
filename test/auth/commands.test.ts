import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSequenceClient } from '../../client/src/index.ts';
import { tokenDigest } from '../../src/rpc/auth/digest.ts';
import { startApp } from '../support/app.ts';
import { Authority, type Certificate, HAS_OPENSSL, LOCALHOST } from '../support/certificates.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeTokens } from '../support/tokens-file.ts';

const MADE = /^seq_[A-Za-z0-9_-]{43}\n$/;

describe('cli token create', () => {
  const create = ['token', 'create'];

  test('prints the token alone, and the line where there is no file', async () => {
    const { code, stdout, stderr } = await cli([
      ...create,
      'alice',
      '--permissions',
      'write',
      '--scopes',
      'play-*,x',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(MADE);
    expect(stderr.split('\n')[1]).toBe(`alice write play-*,x ${tokenDigest(stdout.trim())}`);
  });

  test('adds the line to the file, for its owner alone, and a service knows the token', async () => {
    const file = join(await temporaryFolder(), 'tokens');
    const env = { API_TOKENS_FILE: file };
    const args = ['--permissions', 'read', '--scopes', '*'];
    const first = await cli([...create, 'alice', ...args], env);
    expect(first.stdout).toMatch(MADE);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, (await readFile(file, 'utf8')).trimEnd());
    const second = await cli([...create, 'bob', ...args, '--file', file]);
    expect((await readFile(file, 'utf8')).split('\n').map((line) => line.split(' ')[0])).toEqual([
      'alice',
      'bob',
      '',
    ]);
    expect(await readFile(file, 'utf8')).not.toContain(first.stdout.trim());
    const { url } = await startApp({ ...env, AUTH: 'tokens' });
    for (const { stdout } of [first, second]) {
      const client = createSequenceClient({ url, token: stdout.trim() });
      expect(await client.getSequence({ elementType: 1 })).toMatchObject({ size: 0 });
    }
  });

  test.each([
    [['token', 'drop', 'alice'], 2, 'can only create'],
    [['token', 'create'], 2, 'needs NAME'],
    [[...create, 'alice', '--permissions', 'read'], 2, '--scopes LIST are needed'],
    [[...create, 'al ice', '--permissions', 'read', '--scopes', '*'], 2, 'not a token: it'],
    [[...create, 'alice', '--permissions', 'own', '--scopes', '*'], 2, 'has a permission other than'],
    [[...create, 'alice', '--permissions', 'read', '--scopes', '../*'], 2, 'has a faulty scope'],
    [
      [...create, 'a', '--permissions', 'read', '--scopes', '*', '--file', '/nowhere/x'],
      1,
      'was not changed',
    ],
  ])('%j is refused', async (args, code, message) => {
    const ended = await cli(args);
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(ended.stderr.split('\n')).toHaveLength(2);
  });

  test('a file that is faulty already is left as it is', async () => {
    const file = join(await temporaryFolder(), 'tokens');
    await writeFile(file, 'nonsense\n');
    const ended = await cli([...create, 'a', '--permissions', 'read', '--scopes', '*', '--file', file]);
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('line 1') });
    expect(await readFile(file, 'utf8')).toBe('nonsense\n');
  });
});

describe('commands that call a service', () => {
  test('bring the token of SEQUENCE_TOKEN, of its file, or of --token-file', async () => {
    const folder = await temporaryFolder();
    const file = await writeTokens(folder, { alice: ['admin', '*', 'seq_alice'] });
    const { url } = await startApp({ AUTH: 'tokens', API_TOKENS_FILE: file });
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'seq_alice\n');
    for (const args of [['list', 'section', '--scope', 'x'], ['sync-status']]) {
      const to = [...args, '--server', url];
      expect(await cli(to, { SEQUENCE_TOKEN: 'seq_alice' })).toMatchObject({ code: 0 });
      expect(await cli(to, { SEQUENCE_TOKEN_FILE: tokenFile })).toMatchObject({ code: 0 });
      expect(await cli([...to, '--token-file', tokenFile], { SEQUENCE_TOKEN: 'wrong' })).toMatchObject({
        code: 0,
      });
      const refused = await cli(to, { SEQUENCE_TOKEN: 'seq_wrong' });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('does not know who calls') });
      expect(refused.stderr).not.toContain('seq_wrong');
      expect(await cli([...to, '--token-file', '/nowhere'])).toMatchObject({ code: 2 });
    }
  });
});

describe.skipIf(!HAS_OPENSSL)(`over TLS${HAS_OPENSSL ? '' : ' (skipped: no openssl)'}`, () => {
  let folder: string;
  let authority: Authority;
  let server: Certificate;
  let alice: Certificate;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'commands-'));
    authority = new Authority(folder, 'ca');
    server = authority.issue('server', LOCALHOST);
    alice = authority.issue('alice', { subject: '/CN=alice' });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const tls = () => ({ TLS_CERT_FILE: server.certFile, TLS_KEY_FILE: server.keyFile });

  test('commands trust the authority of --ca or SEQUENCE_CA_FILE, and no other', async () => {
    const { port } = await startService({ env: tls() });
    for (const args of [['list', 'section', '--scope', 'x'], ['sync-status']]) {
      const to = [...args, '--server', `https://localhost:${port}`];
      expect(await cli([...to, '--ca', authority.ca.certFile])).toMatchObject({ code: 0 });
      expect(await cli(to, { SEQUENCE_CA_FILE: authority.ca.certFile })).toMatchObject({ code: 0 });
      expect(await cli(to)).toMatchObject({ code: 1, stdout: '' });
    }
  });

  test('commands show the certificate of SEQUENCE_CERT_FILE', async () => {
    const { port } = await startService({ env: { ...tls(), TLS_CLIENT_CA_FILE: authority.ca.certFile } });
    const to = ['list', 'section', '--scope', 'x', '--server', `https://localhost:${port}`];
    const env = { SEQUENCE_CA_FILE: authority.ca.certFile };
    const shown = { SEQUENCE_CERT_FILE: alice.certFile, SEQUENCE_KEY_FILE: alice.keyFile };
    expect(await cli(to, { ...env, ...shown })).toMatchObject({ code: 0 });
    expect(await cli(to, env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not know who calls'),
    });
  });

  test('healthcheck asks over TLS, and needs no credentials', async () => {
    const { port } = await startService({ env: { ...tls(), TLS_CLIENT_CA_FILE: authority.ca.certFile } });
    const env = { ...tls(), TLS_CLIENT_CA_FILE: authority.ca.certFile, PORT: String(port) };
    expect(await cli(['healthcheck'], env)).toEqual({
      code: 0,
      stdout: `ready: https://127.0.0.1:${port}/readyz\n`,
      stderr: '',
    });
  });

  test.each(['connect', 'grpc', 'grpc-web'] as const)('the client package over %s', async (protocol) => {
    const { port } = await startApp({ ...tls(), TLS_CLIENT_CA_FILE: authority.ca.certFile });
    const url = `https://localhost:${port}`;
    const { cert, key } = alice;
    const client = createSequenceClient({ url, protocol, tls: { ca: authority.ca.cert, cert, key } });
    expect(await client.generate({ elementType: 1, elementId: 1n })).toMatchObject({ sequenceNumber: 1 });
    const stranger = createSequenceClient({ url, protocol, retry: { maxAttempts: 1 } });
    await expect(stranger.getSequence({ elementType: 1 })).rejects.toThrow();
  });
});
