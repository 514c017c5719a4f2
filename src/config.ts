/** Configuration: the only reader of the environment. Strings become values, one by one; values become the `Config`. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { Fault } from './config/kinds.ts';
import { MASK, maskCredentials, quote } from './config/mask.ts';
import { nearMiss } from './config/near-miss.ts';
import { readSecretFile } from './config/secret-file.ts';
import type { Config } from './config/types.ts';
import { hasFile, VARIABLES, type Values, type Variable } from './config/variables.ts';

export { describeDatabase } from './config/database-url.ts';
export type {
  AuthConfig,
  ClientConfig,
  Config,
  DatabaseConfig,
  DatabaseUrl,
  LogConfig,
  LogLevel,
  PostgresUrl,
  Rate,
  ServerConfig,
  SqliteUrl,
  SyncConfig,
  TlsConfig,
  WriterConfig,
} from './config/types.ts';

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with the configuration, at once, without any secret's value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence each, in the table's order; never empty. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

interface CrossCheck {
  readonly needs: readonly (keyof Values)[];
  readonly fault: string;
  holds(values: Values): boolean;
}

const CROSS_CHECKS: readonly CrossCheck[] = [
  {
    needs: ['HEADERS_TIMEOUT', 'REQUEST_TIMEOUT'],
    fault: 'HEADERS_TIMEOUT must not be above REQUEST_TIMEOUT',
    holds: (values) => values.HEADERS_TIMEOUT <= values.REQUEST_TIMEOUT,
  },
  {
    needs: ['DRAIN_DELAY', 'STOP_TIMEOUT'],
    fault: 'STOP_TIMEOUT must be above DRAIN_DELAY, which is a part of it',
    holds: (values) => values.STOP_TIMEOUT > values.DRAIN_DELAY,
  },
  {
    needs: ['WRITER_MAX_QUEUE', 'WRITER_MAX_BATCH'],
    fault: 'WRITER_MAX_QUEUE must be at least WRITER_MAX_BATCH',
    holds: (values) => values.WRITER_MAX_QUEUE >= values.WRITER_MAX_BATCH,
  },
  {
    needs: ['TYPESENSE_URL', 'TYPESENSE_CLIENT_URL'],
    fault: 'TYPESENSE_URL and TYPESENSE_CLIENT_URL must not both be set: documents go to one place',
    holds: (values) => values.TYPESENSE_URL === '' || values.TYPESENSE_CLIENT_URL === '',
  },
  {
    needs: ['TYPESENSE_URL', 'TYPESENSE_API_KEY'],
    fault: 'TYPESENSE_URL needs TYPESENSE_API_KEY',
    holds: (values) => values.TYPESENSE_URL === '' || values.TYPESENSE_API_KEY !== '',
  },
  {
    needs: ['TYPESENSE_CLIENT_URL', 'TYPESENSE_SERVICE_API_KEY', 'KEY_MANAGEMENT_URL', 'ADMIN_TOKEN'],
    fault: 'TYPESENSE_CLIENT_URL needs TYPESENSE_SERVICE_API_KEY, or KEY_MANAGEMENT_URL with ADMIN_TOKEN',
    holds: (values) =>
      values.TYPESENSE_CLIENT_URL === '' ||
      values.TYPESENSE_SERVICE_API_KEY !== '' ||
      (values.KEY_MANAGEMENT_URL !== '' && values.ADMIN_TOKEN !== ''),
  },
  {
    needs: ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
    fault: 'TLS_CERT_FILE and TLS_KEY_FILE must be set together',
    holds: (values) => (values.TLS_CERT_FILE === '') === (values.TLS_KEY_FILE === ''),
  },
  {
    needs: ['TLS_CLIENT_CA_FILE', 'TLS_CERT_FILE'],
    fault: 'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE: without TLS nobody can show a certificate',
    holds: (values) => values.TLS_CLIENT_CA_FILE === '' || values.TLS_CERT_FILE !== '',
  },
  {
    needs: ['AUTH', 'API_TOKENS_FILE', 'ADMIN_TOKEN'],
    fault: 'AUTH=tokens needs API_TOKENS_FILE or ADMIN_TOKEN',
    holds: (values) => values.AUTH !== 'tokens' || values.API_TOKENS_FILE !== '' || values.ADMIN_TOKEN !== '',
  },
  {
    needs: ['AUTH', 'JWT_JWKS_URL', 'JWT_SECRET', 'JWT_PUBLIC_KEY_FILE'],
    fault: 'AUTH=jwt needs exactly one of JWT_JWKS_URL, JWT_SECRET and JWT_PUBLIC_KEY_FILE',
    holds: (values) =>
      values.AUTH !== 'jwt' ||
      [values.JWT_JWKS_URL, values.JWT_SECRET, values.JWT_PUBLIC_KEY_FILE].filter((key) => key !== '')
        .length === 1,
  },
  {
    needs: ['AUTH', 'TLS_CLIENT_CA_FILE', 'API_TOKENS_FILE'],
    fault:
      'TLS_CLIENT_CA_FILE with AUTH=tokens or jwt needs API_TOKENS_FILE: its lines cert:NAME say what a certificate may do',
    holds: (values) =>
      !['tokens', 'jwt'].includes(values.AUTH) ||
      values.TLS_CLIENT_CA_FILE === '' ||
      values.API_TOKENS_FILE !== '',
  },
  {
    needs: ['SEQUENCE_CERT_FILE', 'SEQUENCE_KEY_FILE'],
    fault: 'SEQUENCE_CERT_FILE and SEQUENCE_KEY_FILE must be set together',
    holds: (values) => (values.SEQUENCE_CERT_FILE === '') === (values.SEQUENCE_KEY_FILE === ''),
  },
  {
    needs: ['DATABASE_SSL_CA', 'DATABASE_URL'],
    fault: 'DATABASE_SSL_CA needs a DATABASE_URL of PostgreSQL with an sslmode that encrypts',
    holds: ({ DATABASE_SSL_CA, DATABASE_URL }) =>
      DATABASE_SSL_CA === '' || (DATABASE_URL.engine === 'postgres' && DATABASE_URL.sslMode !== 'disable'),
  },
  {
    needs: ['WRITER_MAX_QUEUE_BYTES', 'MAX_BODY_BYTES'],
    fault: 'WRITER_MAX_QUEUE_BYTES must be at least twice MAX_BODY_BYTES',
    holds: (values) => values.WRITER_MAX_QUEUE_BYTES >= 2 * values.MAX_BODY_BYTES,
  },
];

/**
 * The environment with what `.env` in the folder `cwd` adds to it; a variable of the real environment wins, also when
 * it is empty.
 *
 * @throws {ConfigError} when there is a `.env` that cannot be read.
 */
export function readEnvironment(cwd: string = process.cwd(), env: Environment = process.env): Environment {
  const file = join(cwd, '.env');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT') return { ...env };
    throw new ConfigError([`${file} must be a readable file, or be absent; it cannot be read (${code})`]);
  }
  const set = Object.entries(env).filter(([, value]) => value !== undefined);
  // Editors on Windows put a byte order mark first, which parseEnv takes for a part of the first name.
  return { ...parseEnv(text.replace(/^\uFEFF/, '')), ...Object.fromEntries(set) };
}

/**
 * Parses, checks and groups. A variable that is empty or blank counts as not set; unknown ones are ignored, with a
 * warning where the name is nearly one of ours. Relative paths are relative to `cwd`.
 *
 * @throws {ConfigError} with every fault at once; never anything else.
 */
export function loadConfig(
  env: Environment,
  { cwd = process.cwd() }: { readonly cwd?: string } = {},
): Config {
  const { values, faults } = parseAll(env, cwd);
  for (const check of CROSS_CHECKS) {
    const known = check.needs.every((name) => name in values);
    if (known && !check.holds(values as Values)) faults.push(`${check.fault}; ${shown(check.needs, values)}`);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze({ ...grouped(values as Values), warnings: warningsFor(env) });
}

/** The effective values as `NAME=value`, in the table's order, secrets masked. */
export function describeConfig(config: Config): string[] {
  return (VARIABLES as readonly Variable[]).map(
    (variable) => `${variable.name}=${masked(variable, variable.kind.format(variable.from(config)))}`,
  );
}

function parseAll(env: Environment, cwd: string): { values: Partial<Values>; faults: string[] } {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const variable of VARIABLES as readonly Variable[]) {
    const { name, kind, default: fallback, sensitive } = variable;
    let text = '';
    try {
      text = textOf(env, name) ?? fallback;
      if (hasFile(variable)) text = secretOf(env, name, cwd) ?? text;
      values[name] = kind.parse(text, { cwd });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const echo = sensitive === undefined ? `; it is ${quote(text)}` : '';
      faults.push(`${name} ${error.message}${echo}`);
    }
  }
  // Each value came from its own kind's parse, which is what `Values` says.
  return { values: values as Partial<Values>, faults };
}

/** What the file holds that `NAME_FILE` names; undefined where it names none. */
function secretOf(env: Environment, name: string, cwd: string): string | undefined {
  const path = textOf(env, `${name}_FILE`);
  if (path === undefined) return undefined;
  if (textOf(env, name) !== undefined) throw new Fault(`and ${name}_FILE must not both be set`);
  return readSecretFile(`${name}_FILE`, resolve(cwd, path));
}

function grouped(values: Values): Omit<Config, 'warnings'> {
  return {
    server: {
      host: values.HOST,
      port: values.PORT,
      corsOrigins: values.CORS_ORIGINS,
      defaultDeadlineMs: values.DEFAULT_DEADLINE,
      maxBodyBytes: values.MAX_BODY_BYTES,
      lane: values.LANE,
      headersTimeoutMs: values.HEADERS_TIMEOUT,
      requestTimeoutMs: values.REQUEST_TIMEOUT,
      idleTimeoutMs: values.IDLE_TIMEOUT,
      maxHeaderBytes: values.MAX_HEADER_BYTES,
      maxConcurrentStreams: values.MAX_CONCURRENT_STREAMS,
      maxConnections: values.MAX_CONNECTIONS,
      rateLimit: values.RATE_LIMIT,
      drainDelayMs: values.DRAIN_DELAY,
      stopTimeoutMs: values.STOP_TIMEOUT,
    },
    tls: {
      certFile: values.TLS_CERT_FILE,
      keyFile: values.TLS_KEY_FILE,
      clientCaFile: values.TLS_CLIENT_CA_FILE,
    },
    auth: {
      mode: values.AUTH,
      tokensFile: values.API_TOKENS_FILE,
      jwksUrl: values.JWT_JWKS_URL,
      jwtSecret: values.JWT_SECRET,
      jwtPublicKeyFile: values.JWT_PUBLIC_KEY_FILE,
      jwtIssuer: values.JWT_ISSUER,
      jwtAudience: values.JWT_AUDIENCE,
      publicDiagnostics: values.PUBLIC_DIAGNOSTICS,
    },
    database: {
      url: values.DATABASE_URL,
      readers: values.DATABASE_READERS,
      writers: values.DATABASE_WRITERS,
      sslCa: values.DATABASE_SSL_CA,
      lockTimeoutMs: values.DATABASE_LOCK_TIMEOUT,
      statementTimeoutMs: values.DATABASE_STATEMENT_TIMEOUT,
      // Several replicas start at once, and one that is older may still run.
      migrate: values.MIGRATE || (values.DATABASE_URL.engine === 'sqlite' ? 'auto' : 'check'),
      changeRetentionMs: values.CHANGE_RETENTION,
    },
    writer: {
      maxBatch: values.WRITER_MAX_BATCH,
      maxQueue: values.WRITER_MAX_QUEUE,
      maxQueueBytes: values.WRITER_MAX_QUEUE_BYTES,
      maxRenumber: values.MAX_RENUMBER,
    },
    log: { level: values.LOG_LEVEL, pretty: values.LOG_PRETTY },
    service: { name: values.SERVICE_NAME },
    sync: {
      typesenseUrl: values.TYPESENSE_URL,
      typesenseApiKey: values.TYPESENSE_API_KEY,
      typesenseClientUrl: values.TYPESENSE_CLIENT_URL,
      typesenseServiceApiKey: values.TYPESENSE_SERVICE_API_KEY,
      keyManagementUrl: values.KEY_MANAGEMENT_URL,
      adminToken: values.ADMIN_TOKEN,
      collection: values.TYPESENSE_COLLECTION,
      worker: values.SYNC_WORKER,
      concurrency: values.SYNC_CONCURRENCY,
      callTimeoutMs: values.SYNC_CALL_TIMEOUT,
      maxAttempts: values.SYNC_MAX_ATTEMPTS,
      settleMs: values.SYNC_SETTLE,
    },
    client: {
      token: values.SEQUENCE_TOKEN,
      caFile: values.SEQUENCE_CA_FILE,
      certFile: values.SEQUENCE_CERT_FILE,
      keyFile: values.SEQUENCE_KEY_FILE,
    },
  };
}

function warningsFor(env: Environment): string[] {
  const known: string[] = (VARIABLES as readonly Variable[]).flatMap((variable) =>
    hasFile(variable) ? [variable.name, `${variable.name}_FILE`] : [variable.name],
  );
  const unset = known.filter((name) => textOf(env, name) === undefined);
  return Object.keys(env).flatMap((name) => {
    const meant = known.includes(name) ? undefined : nearMiss(name, unset);
    return meant === undefined
      ? []
      : [`${quote(name)} is not a variable of this service; was ${meant} meant?`];
  });
}

function masked({ sensitive }: Variable, text: string): string {
  if (sensitive === 'secret') return text === '' ? '' : MASK;
  return sensitive === 'credentials' ? maskCredentials(text) : text;
}

function shown(names: readonly (keyof Values)[], values: Partial<Values>): string {
  const parts = names.map((name) => {
    const variable = VARIABLES.find((each) => each.name === name) as Variable;
    const { kind } = variable;
    return `${name} is ${masked(variable, kind.format(values[name])) || 'empty'}`;
  });
  return parts.join(', ');
}

function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
