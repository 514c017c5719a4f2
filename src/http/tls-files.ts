import { createSecureContext } from 'node:tls';
import { WatchedFiles } from '../util/watched-files.ts';
import type { TlsMaterial } from './tls.ts';

/** Where the parts of {@link TlsMaterial} are. */
export interface TlsFilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Empty: clients are not asked for a certificate. */
  readonly clientCaFile: string;
  /** The files have changed, and what they hold now can be used. */
  readonly onChange: (material: TlsMaterial) => void;
  /** They have changed and cannot be used; what they held before stays. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Reads the files, and again when they change.
 *
 * @throws Error whose message tells a person what is wrong with them
 */
export async function openTlsFiles(options: TlsFilesOptions): Promise<WatchedFiles<TlsMaterial>> {
  const { certFile, keyFile, clientCaFile, onChange, onFault } = options;
  return await WatchedFiles.open({
    paths: [certFile, keyFile, ...(clientCaFile === '' ? [] : [clientCaFile])],
    parse: ([cert = '', key = '', clientCa]) => checked({ cert, key, clientCa }),
    onChange,
    onFault,
  }).catch((cause: Error) => {
    throw new Error(`the files of TLS cannot be used: ${cause.message}`, { cause });
  });
}

/** @throws Error where it is no PEM, or the key is not the certificate's */
function checked(material: TlsMaterial): TlsMaterial {
  const { cert, key, clientCa } = material;
  createSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) });
  if (clientCa !== undefined && !clientCa.includes('-----BEGIN'))
    throw new Error('the file of TLS_CLIENT_CA_FILE holds no certificate');
  return material;
}
