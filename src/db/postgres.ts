import { readFile } from 'node:fs/promises';
import type { TlsOptions } from 'node:tls';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresUrl } from '../config.ts';
import { POSTGRES } from './engine.ts';
import { entitiesOf } from './entities/index.ts';
import { DatabaseStartError } from './errors.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { NO_LOG } from './no-log.ts';
import { cutUnanswered } from './postgres-cut.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** How much longer than the server this end waits for an answer, before it takes the connection for dead. */
const ANSWER_GRACE_MS = 2_000;
const OID_INT8 = 20;

/** Where a database is, and the certificate of who may speak for it. */
export interface PostgresAddress {
  readonly url: PostgresUrl;
  /** A file of certificates in PEM, or empty. */
  readonly sslCa: string;
}

/** What a pool of connections is for. */
export interface PostgresPoolOptions {
  readonly size: number;
  /** Shown in `pg_stat_activity`. */
  readonly name: string;
  /** The server gives up a statement after this, milliseconds; 0: never. */
  readonly statementTimeoutMs: number;
  /** The server gives up waiting for a lock after this, milliseconds; 0: never. */
  readonly lockTimeoutMs: number;
  /** Settings of the server, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether it only reads. A connection that gives no answer in time is cut then; a writer watches over its own. */
  readonly readOnly?: boolean;
}

/**
 * Opens a pool of connections. Numbers of 64 bits come back as Number: ours end at 2^53-1. They send without waiting
 * for the answer before (`pipeline`), so that what is queued in a transaction costs one round trip.
 */
export async function openPostgresSource(
  address: PostgresAddress,
  options: PostgresPoolOptions,
): Promise<DataSource> {
  const { host, port, user, password, database } = address.url;
  const settings = {
    jit: 'off',
    // Whatever the server's defaults are: a statement without BEGIN is a transaction with these.
    default_transaction_isolation: 'read\\ committed',
    default_transaction_read_only: options.readOnly ? 'on' : 'off',
    ...options.settings,
  };
  const source = new DataSource({
    type: 'postgres',
    driver: pg,
    host,
    port,
    username: user,
    password,
    database,
    ssl: await tlsOptions(address),
    poolSize: options.size,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    applicationName: options.name,
    installExtensions: false,
    logger: NO_LOG,
    // An idle connection was lost. The pool opens another; where it cannot, whoever needs it is told.
    poolErrorHandler: () => {},
    extra: {
      Client,
      types: { getTypeParser },
      pipeline: true,
      keepAlive: true,
      idleTimeoutMillis: 0,
      options: Object.entries(settings)
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
      statement_timeout: options.statementTimeoutMs,
      lock_timeout: options.lockTimeoutMs,
      // Where this end is gone and the server has not noticed, its locks do not stay for ever.
      idle_in_transaction_session_timeout: 60_000,
    },
    entities: entitiesOf(POSTGRES),
    migrations: MIGRATIONS,
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
  });
  await source.initialize();
  if (options.readOnly) cutUnanswered(postgresPool(source), options.statementTimeoutMs + ANSWER_GRACE_MS);
  return source;
}

/** How to open a connection that is nobody's but the caller's. */
export async function connectionOptions(address: PostgresAddress, name: string): Promise<pg.ClientConfig> {
  const { host, port, user, password, database } = address.url;
  return {
    host,
    port,
    user,
    password,
    database,
    ssl: (await tlsOptions(address)) as pg.ClientConfig['ssl'],
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}

/**
 * A connection whose loss is never uncaught. Between the pool, which hands it out while the server's last packet is
 * still being read, and whoever gets it, there is a moment in which nobody listens; its next statement tells.
 */
class Client extends pg.Client {
  constructor(config: pg.ClientConfig) {
    super(config);
    this.on('error', () => {});
  }
}

/** The driver's pool under a DataSource. */
export function postgresPool(source: DataSource): pg.Pool {
  return (source.driver as unknown as { master: pg.Pool }).master;
}

// TypeORM has the type of a server's options here; the driver hands them to `tls.connect`.
async function tlsOptions({ url, sslCa }: PostgresAddress): Promise<TlsOptions | false> {
  if (url.sslMode === 'disable') return false;
  const file = url.sslRootCert || sslCa;
  const ca = file === '' ? {} : { ca: await certificates(file) };
  switch (url.sslMode) {
    case 'require':
      // As libpq has it: who names certificates wants them checked.
      return file === '' ? { rejectUnauthorized: false } : anyName(ca);
    case 'verify-ca':
      return anyName(ca);
    case 'verify-full':
      return ca;
  }
}

/** Whoever the certificate names. */
function anyName(options: TlsOptions): TlsOptions {
  return { ...options, checkServerIdentity: () => undefined } as TlsOptions;
}

async function certificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new DatabaseStartError(`the certificates of the database, ${file}, cannot be read`, { cause });
  }
}

function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  return oid === OID_INT8 ? Number : pg.types.getTypeParser(oid, format);
}
