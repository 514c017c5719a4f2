import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { cli, startSource } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const COMMANDS = ['serve', 'migrate', 'config', 'verify', 'healthcheck'];

describe('usage', () => {
  test.each([['help'], ['--help'], ['-h']])('%s lists every command', async (arg) => {
    const { code, stdout, stderr } = await cli([arg]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} +\\w`, 'm'));
  });

  test('the three ways to the help on a command say the same', async () => {
    const asked = [
      ['help', 'migrate'],
      ['migrate', '--help'],
      ['migrate', '-h'],
    ];
    const [first, ...others] = await Promise.all(asked.map((args) => cli(args)));
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first?.stdout).toContain('--check');
    for (const other of others) expect(other).toEqual(first);
  });

  test('the version is package.json’s', async () => {
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  test.each([
    [['frobnicate'], '"frobnicate" is not a command; there are serve, migrate,'],
    [['help', 'frobnicate'], '"frobnicate" is not a command; there are serve, migrate,'],
    [['help', 'serve', 'config'], 'help takes the name of one command'],
    [['--frobnicate'], `Unknown option '--frobnicate'; "cli" takes --version, --help`],
    [['migrate', '--chek'], `Unknown option '--chek'; "cli migrate" takes --check, --help`],
    [['migrate', '--check=1'], "Option '--check' does not take an argument"],
    [['verify', 'other.db'], `Unexpected argument 'other.db'; "cli verify" takes --help`],
    [['verify', '\u001b[31mred'], "Unexpected argument '?[31mred'"],
    [['\u001b[31mred'], '"\\u001b[31mred" is not a command'],
  ])('%j is refused in one line', async (args, message) => {
    const { code, stdout, stderr } = await cli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test.each(['serve', 'migrate', 'config', 'verify', 'healthcheck'])(
    '%s tells every fault of the configuration',
    async (command) => {
      const env = { PORT: '99999', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://a:hidden@b/c' };
      const { code, stdout, stderr } = await cli([command], env);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      for (const name of Object.keys(env)) expect(stderr).toMatch(new RegExp(`^ {2}- ${name} must be`, 'm'));
      expect(stderr).not.toMatch(/hidden|^ +at /m);
    },
  );

  test('a reader that went away is no failure', async () => {
    const { child, ended } = await startSource('cli.ts', { args: ['config'] });
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('serve', () => {
  test.each([[[]], [['serve']]])('by %j, until SIGTERM', async (args) => {
    const { child, ended, stdout } = await startSource('cli.ts', { args, env: { PORT: '0' } });
    await until('serving', () => stdout().includes('"msg":"serving"'));
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout()).toContain('"msg":"stopped"');
  });
});

describe('config', () => {
  test('shows what is in effect, .env included, secrets masked, and warns', async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, '.env'), 'PORT=1234\nDRAIN_DELAY=2s\n');
    const env = { PORT: '4321', ADMIN_TOKEN: 'hidden', MAX_RENUMBR: '5' };
    const { code, stdout, stderr } = await cli(['config'], env, { cwd });
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines).toContain('PORT=4321');
    expect(lines).toContain('DRAIN_DELAY=2s');
    expect(lines).toContain(`DATABASE_URL=sqlite:///${join(cwd, 'data/sequence.db')}`);
    expect(lines).toContain('ADMIN_TOKEN=********');
    expect(stdout + stderr).not.toContain('hidden');
    expect(stderr).toContain('was MAX_RENUMBER meant?');
    expect(existsSync(join(cwd, 'data'))).toBe(false);
  });
});

describe('migrate', () => {
  test('creates the database, once; --check only looks', async () => {
    const cwd = await temporaryFolder();
    const file = join(cwd, 'data/sequence.db');
    const missing = await cli(['migrate', '--check'], {}, { cwd });
    expect(missing).toEqual({ code: 1, stdout: '', stderr: `there is no database ${file}\n` });
    expect(existsSync(file)).toBe(false);

    await mkdir(join(cwd, 'data'));
    await writeFile(file, '');
    const empty = await cli(['migrate', '--check'], {}, { cwd });
    expect(empty).toMatchObject({ code: 1, stderr: '' });
    expect(empty.stdout).toMatch(/^\S+ lacks Initial\d+\n$/);

    const migrated = await cli(['migrate'], {}, { cwd });
    expect(migrated).toMatchObject({ code: 0, stderr: '' });
    expect(migrated.stdout).toMatch(/: applied Initial\d+\n$/);
    const current = { code: 0, stdout: `${file} is up to date\n`, stderr: '' };
    expect(await cli(['migrate', '--check'], {}, { cwd })).toEqual(current);
    expect(await cli(['migrate'], {}, { cwd })).toEqual(current);
  });

  test('says so where a service holds the database; --check works beside it', async () => {
    const { file } = await startService();
    const env = { DATABASE_URL: `sqlite:///${file}` };
    const refused = await cli(['migrate'], env);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^another process is already writing to .*\n$/);
    expect(await cli(['migrate', '--check'], env)).toMatchObject({ code: 0 });
  });

  test.each([[['migrate']], [['migrate', '--check']]])('%j refuses what is no database', async (args) => {
    const file = join(await temporaryFolder(), 'notes.txt');
    await writeFile(file, 'These are my notes. '.repeat(100));
    const { code, stdout, stderr } = await cli(args, { DATABASE_URL: `sqlite:///${file}` });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^the database \S+ cannot be opened: .*not a database\n$/);
  });
});

describe('healthcheck', () => {
  test('follows a running service', async () => {
    const port = await freePort();
    const env = { HOST: '0.0.0.0', AUTH: 'none', PORT: String(port) };
    const url = `http://127.0.0.1:${port}/readyz`;
    const before = await cli(['healthcheck'], env);
    expect(before).toMatchObject({ code: 1, stdout: '' });
    expect(before.stderr).toMatch(/^not ready: .* gave no answer \(.*ECONNREFUSED.*\)\n$/);

    const { child } = await startService({ env: { ...env, DRAIN_DELAY: '5s' } });
    expect(await cli(['healthcheck'], env)).toEqual({ code: 0, stdout: `ready: ${url}\n`, stderr: '' });

    child.kill('SIGTERM');
    // The service may learn of the signal after the first look.
    const after = await until('it is not ready', async () => {
      const ended = await cli(['healthcheck'], env);
      return ended.code !== 0 && ended;
    });
    expect(after).toEqual({ code: 1, stdout: '', stderr: `not ready: ${url} answered 503\n` });
  });

  test('does not wait for a service that hangs', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    onTestFinished(() => close(server, sockets));
    await once(server, 'listening');
    const started = performance.now();
    const { code, stderr } = await cli(['healthcheck'], { PORT: String(portOf(server)) });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('none within 2 s') });
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test('needs to know the port', async () => {
    const { code, stderr } = await cli(['healthcheck'], { PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^PORT is 0.*\n$/);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  await close(server, []);
  return port;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
