import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { CommandError } from './command.ts';
import { print } from './output.ts';
import { configuredUrl } from './server-url.ts';

const TIMEOUT_MS = 2_000;

/** Asks the service that runs with this configuration whether it is ready. Returns the exit code. */
export async function healthcheck(): Promise<number> {
  const configured = configuredUrl();
  if (configured === undefined)
    throw new CommandError('PORT is 0, any free port: it cannot be known where the service listens', 1);
  const url = `${configured}/readyz`;
  const status = await statusOf(url).catch((error: Error) => {
    throw new CommandError(`not ready: ${url} gave no answer (${error.message})`, 1);
  });
  if (status !== 200) throw new CommandError(`not ready: ${url} answered ${status}`, 1);
  print(`ready: ${url}`);
  return 0;
}

/** The answer's status, or a rejection after {@link TIMEOUT_MS} at the latest. The body is not read. */
async function statusOf(url: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const onResponse = (response: IncomingMessage) => {
    resolve(response.statusCode ?? 0);
    response.destroy();
  };
  // The certificate is for the name that callers use; here it is this machine that is asked, and told nothing.
  const asked = url.startsWith('https:')
    ? secureRequest(url, { agent: false, rejectUnauthorized: false }, onResponse)
    : request(url, { agent: false }, onResponse);
  const late = setTimeout(() => asked.destroy(new Error(`none within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  asked.on('error', reject).end();
  try {
    return await promise;
  } finally {
    clearTimeout(late);
  }
}
