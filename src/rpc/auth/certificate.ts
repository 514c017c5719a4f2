import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createContextKey } from '@connectrpc/connect';

/** What a client certificate says about who shows it. The listener lets only verified ones through. */
export interface Certificate {
  /** The common name and then the alternative names (URI, DNS, email); never empty. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. A connection may outlive its certificate. */
  readonly validUntil: number;
}

/** What the other end of the connection has shown. Set with the context's making. */
export const CERTIFICATE = createContextKey<Certificate | undefined>(undefined, {
  description: 'certificate',
});

/** By connection, so that a certificate is read once. */
const certificates = new WeakMap<object, Certificate | undefined>();

/** What the other end of a connection has shown. */
export function shownBy(connection: Duplex | undefined): Certificate | undefined {
  if (connection === undefined || !('authorized' in connection || 'encrypted' in connection))
    return undefined;
  if (certificates.has(connection)) return certificates.get(connection);
  // The socket of an HTTP/2 session stands for the one beneath it, of whichever kind.
  const socket = connection as TLSSocket;
  const shown = socket.authorized ? readCertificate(socket) : undefined;
  certificates.set(connection, shown);
  return shown;
}

function readCertificate(socket: TLSSocket): Certificate | undefined {
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate ?? {}).length === 0) return undefined;
  const { subject, subjectaltname = '', valid_to } = certificate;
  // Of several common names none is the one.
  const common: unknown = subject?.CN;
  const names = [
    ...(typeof common === 'string' ? [common] : []),
    ...[...subjectaltname.matchAll(ALTERNATIVE)].map(([, name]) => name!),
  ].filter((name) => USABLE.test(name));
  return names.length === 0 ? undefined : { names, validUntil: Date.parse(valid_to) };
}

// Node puts a name that holds a comma or a quote between quotes; such a one is passed over.
const ALTERNATIVE = /(?<=^|, )(?:URI|DNS|email):([^",]+)(?=, |$)/g;
const USABLE = /^[\x21-\x2b\x2d-\x7e]{1,128}$/;
