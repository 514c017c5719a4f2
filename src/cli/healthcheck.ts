import { request } from 'node:http';
import { isIPv6 } from 'node:net';
import { loadConfig, readEnvironment } from '../config.ts';
import { CommandError } from './command.ts';
import { print } from './output.ts';

const TIMEOUT_MS = 2_000;

/** Asks the service that runs with this configuration whether it is ready. Returns the exit code. */
export async function healthcheck(): Promise<number> {
  const { host, port } = loadConfig(readEnvironment()).server;
  if (port === 0)
    throw new CommandError('PORT is 0, any free port: it cannot be known where the service listens', 1);
  const url = `http://${reachable(host)}:${port}/readyz`;
  const status = await statusOf(url).catch((error: Error) => {
    throw new CommandError(`not ready: ${url} gave no answer (${error.message})`, 1);
  });
  if (status !== 200) throw new CommandError(`not ready: ${url} answered ${status}`, 1);
  print(`ready: ${url}`);
  return 0;
}

/** The address under which this machine reaches a service that listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (!isIPv6(host)) return host;
  return /^[0:]+$/.test(host) ? '[::1]' : `[${host}]`;
}

/** The answer's status, or a rejection after {@link TIMEOUT_MS} at the latest. The body is not read. */
async function statusOf(url: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const asked = request(url, { agent: false }, (response) => {
    resolve(response.statusCode ?? 0);
    response.destroy();
  });
  const late = setTimeout(() => asked.destroy(new Error(`none within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  asked.on('error', reject).end();
  try {
    return await promise;
  } finally {
    clearTimeout(late);
  }
}
