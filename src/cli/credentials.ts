import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { TlsOptions } from '../../client/src/index.ts';
import { readSecretFile } from '../config/secret-file.ts';
import { loadConfig, readEnvironment } from '../config.ts';
import { CommandError, type Options } from './command.ts';

/** What a command brings to the running service, as its client takes it. */
export interface Credentials {
  readonly token?: string;
  readonly tls?: TlsOptions;
}

/**
 * The token of `--token-file` or else of SEQUENCE_TOKEN; the authority of `--ca` or else of SEQUENCE_CA_FILE, trusted
 * beside Node's own; the certificate of SEQUENCE_CERT_FILE.
 */
export function credentialsOf(options: Options): Credentials {
  const { client } = loadConfig(readEnvironment());
  const { 'token-file': tokenFile, ca = client.caFile } = options;
  const token = typeof tokenFile === 'string' ? tokenOf(tokenFile) : client.token;
  const tls: TlsOptions = {
    ...(typeof ca === 'string' && ca !== '' && { ca: [...rootCertificates, pemOf(ca)] }),
    ...(client.certFile !== '' && { cert: pemOf(client.certFile), key: pemOf(client.keyFile) }),
  };
  return { ...(token !== '' && { token }), ...(Object.keys(tls).length > 0 && { tls }) };
}

function tokenOf(path: string): string {
  try {
    return readSecretFile('--token-file', path);
  } catch (error) {
    throw new CommandError(`the token ${(error as Error).message}`, 2);
  }
}

function pemOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`, 2);
  }
}
