import { Code, ConnectError } from '@connectrpc/connect';
import {
  createSequenceClient,
  fieldViolationsOf,
  metadataOf,
  reasonOf,
  type SequenceClient,
} from '../../client/src/index.ts';
import { CommandError, type Options } from './command.ts';
import { type Credentials, credentialsOf } from './credentials.ts';
import { serverUrl } from './server-url.ts';
import { visible } from './visible.ts';

/** A call may take this long, its repetitions included: a full batch on a slow disk. */
const DEADLINE_MS = 60_000;

/** The running service that a command speaks to. */
export interface Remote {
  readonly url: string;
  readonly credentials: Credentials;
  readonly client: SequenceClient;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Does something with the running service; what the service refuses becomes one line for people.
 *
 * @param interrupted what to say after a signal, which ends it at once
 */
export async function withRemote<T>(
  options: Options,
  use: (remote: Remote) => Promise<T>,
  interrupted = 'interrupted',
): Promise<T> {
  const url = serverUrl(options['server']);
  const credentials = credentialsOf(options);
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await use({
      url,
      credentials,
      client: createSequenceClient({ url, deadlineMs: DEADLINE_MS, ...credentials }),
      signal: abort.signal,
    });
  } catch (error) {
    if (abort.signal.aborted) throw new CommandError(interrupted, 1);
    throw error instanceof ConnectError ? new CommandError(inWords(error, url), 1) : error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** The scope that was named. */
export function scopeOf(options: Options): string {
  const { scope } = options;
  if (typeof scope === 'string' && scope !== '') return scope;
  throw new CommandError(
    '--scope NAME is missing: the book, script or tenant within which things are ordered',
    2,
  );
}

function inWords(error: ConnectError, url: string): string {
  const message = visible(error.rawMessage);
  switch (reasonOf(error)) {
    case 'REVISION_MISMATCH':
    case 'VERSION_MISMATCH':
    case 'ELEMENT_EXISTS':
      return `somebody else changed the scope at the same time (${message}); run the command again`;
    case 'INVALID_FIELD': {
      const faults = fieldViolationsOf(error).map(({ field, description }) => `${field} ${description}`);
      return `the service refuses the request: ${visible(faults.slice(0, 5).join('; ')) || message}`;
    }
    case 'UNAUTHENTICATED':
      return `the service does not know who calls (${message}): SEQUENCE_TOKEN or --token-file FILE gives a token`;
    case undefined:
      break;
    default:
      return `the service refuses the request: ${message}${idsOf(error)}`;
  }
  if (error.code === Code.Unavailable) return `no service answers at ${url}: ${message}`;
  if (error.code === Code.DeadlineExceeded) return `the service at ${url} did not answer in time`;
  return `what answers at ${url} is not this service, or cannot be reached: ${message}`;
}

function idsOf(error: ConnectError): string {
  const ids = metadataOf(error)['element_ids'];
  return ids === undefined || error.rawMessage.includes(ids) ? '' : ` (${visible(ids)})`;
}
