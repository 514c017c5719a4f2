import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { get } from '../support/caller.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { CADDYFILE } from './caddyfile.ts';

/** Capability: `caddy` is installed (Debian: `apt-get install caddy`). */
export const HAS_CADDY = spawnSync('caddy', ['version']).status === 0;

/** Runs the Caddyfile that ships before these ports; it ends when the test has finished. */
export async function startCaddy(upstreams: readonly number[]): Promise<{ port: number; url: string }> {
  const [port, home] = await Promise.all([freePort(), temporaryFolder()]);
  const child = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', CADDYFILE], {
    cwd: home,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      SITE: `:${port}`,
      UPSTREAMS: upstreams.map((upstream) => `h2c://127.0.0.1:${upstream}`).join(' '),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await until(
    'caddy passes requests on',
    async () => {
      if (child.exitCode !== null) throw new Error(log);
      return await get(port, '/livez').then(
        ({ status }) => status === 200,
        () => false,
      );
    },
    25_000,
  );
  return { port, url: `http://127.0.0.1:${port}` };
}
