/** DATABASE_URL where it means PostgreSQL. */

import { resolve } from 'node:path';
import { Fault, type ReadContext } from './kinds.ts';
import { type PostgresUrl, SSL_MODES, type SslMode } from './types.ts';

export const POSTGRES_FORM = 'postgres://user:password@host:5432/database?sslmode=verify-full';

/** What may stand behind the question mark. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'host'];

/** Reads what libpq reads, as far as it is said here; messages do not repeat the text, which may carry a password. */
export function parsePostgresUrl(text: string, { cwd }: ReadContext): PostgresUrl {
  const url = URL.parse(text);
  if (url === null || url.hash !== '') throw new Fault(`must have the form ${POSTGRES_FORM}`);
  const parameters = new URLSearchParams(url.search);
  for (const name of parameters.keys())
    if (!PARAMETERS.includes(name)) throw new Fault(`must carry only the options ${PARAMETERS.join(', ')}`);
  const host = parameters.get('host') ?? decode(url.hostname.replace(/^\[(.*)\]$/, '$1'));
  const user = decode(url.username);
  const database = decode(url.pathname.slice(1));
  if (host === '') throw new Fault(`must name a host, as in ${POSTGRES_FORM}`);
  if (user === '') throw new Fault(`must name a user, as in ${POSTGRES_FORM}`);
  if (database === '' || database.includes('/'))
    throw new Fault(`must name a database, as in ${POSTGRES_FORM}`);
  const file = parameters.get('sslrootcert') ?? '';
  return {
    engine: 'postgres',
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    user,
    password: decode(url.password),
    database,
    sslMode: sslMode(parameters.get('sslmode')),
    sslRootCert: file === '' ? '' : resolve(cwd, file),
  };
}

/** The inverse of {@link parsePostgresUrl}. */
export function formatPostgresUrl(url: PostgresUrl): string {
  const { host, port, user, password, database, sslMode, sslRootCert } = url;
  const code = encodeURIComponent;
  const isPath = host.startsWith('/');
  const name = isPath ? 'localhost' : host.includes(':') ? `[${host}]` : code(host);
  const parameters = [
    ...(isPath ? [`host=${code(host)}`] : []),
    ...(sslMode === 'disable' ? [] : [`sslmode=${sslMode}`]),
    ...(sslRootCert === '' ? [] : [`sslrootcert=${code(sslRootCert)}`]),
  ];
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  const credentials = password === '' ? code(user) : `${code(user)}:${code(password)}`;
  return `postgres://${credentials}@${name}:${port}/${code(database)}${query}`;
}

function sslMode(text: string | null): SslMode {
  if (text === null) return 'disable';
  const mode = SSL_MODES.find((each) => each === text);
  if (mode !== undefined) return mode;
  const unsafe =
    text === 'prefer' || text === 'allow' ? '; what falls back to plain text is not offered' : '';
  throw new Fault(`must have an sslmode of ${SSL_MODES.join(', ')}${unsafe}`);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Fault('must have valid percent-encoding; a percent sign itself is written %25');
  }
}
