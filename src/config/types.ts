/** The effective configuration: a plain frozen object, grouped by who uses it. Times are milliseconds, sizes bytes. */

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the data is. */
export type DatabaseUrl = SqliteUrl | PostgresUrl;

export interface SqliteUrl {
  readonly engine: 'sqlite';
  /** Absolute. Its folder may not exist yet. */
  readonly file: string;
}

export interface PostgresUrl {
  readonly engine: 'postgres';
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: SslMode;
  /** An absolute path, or empty. */
  readonly sslRootCert: string;
}

/** As in libpq: `require` encrypts, `verify-ca` knows the signer, `verify-full` the host's name too. */
export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** So many calls in so much time. */
export interface Rate {
  readonly calls: number;
  readonly perMs: number;
}

export interface ServerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Exact origins that browsers may call from; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Of a call whose client names no deadline. */
  readonly defaultDeadlineMs: number;
  /** Of one message, as sent and after decompression. */
  readonly maxBodyBytes: number;
  /** Whether plain unary calls take the lane. */
  readonly lane: 'on' | 'off';
  /** For a request's headers to arrive; never above `requestTimeoutMs`. */
  readonly headersTimeoutMs: number;
  /** For a whole request, body included, to arrive, and for an answer that is made to be taken. */
  readonly requestTimeoutMs: number;
  /** After which a connection that carries nothing is closed. */
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** Per HTTP/2 connection. */
  readonly maxConcurrentStreams: number;
  readonly maxConnections: number;
  /** Of one caller; undefined: none. */
  readonly rateLimit: Rate | undefined;
  /** Between "not ready" and the end of accepting, so that balancers notice. */
  readonly drainDelayMs: number;
  /** Hard deadline of the whole stop, `drainDelayMs` included; at most 9 s, so that the process is gone within 10. */
  readonly stopTimeoutMs: number;
}

export interface TlsConfig {
  /** PEM, the whole chain; empty: without TLS. Set together with `keyFile`. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Whose client certificates are accepted; empty: none are asked for. */
  readonly clientCaFile: string;
}

export interface AuthConfig {
  /** What a call brings in `authorization`; empty: not said, which is refused where others than this machine may call. */
  readonly mode: '' | 'none' | 'tokens' | 'jwt';
  readonly tokensFile: string;
  /** One of the first three is set where `mode` is `jwt`. */
  readonly jwksUrl: string;
  readonly jwtSecret: string;
  readonly jwtPublicKeyFile: string;
  /** Empty: not checked, as `jwtAudience`. */
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  readonly publicDiagnostics: 'auto' | 'on' | 'off';
}

/** How the commands reach a running service. */
export interface ClientConfig {
  readonly token: string;
  readonly caFile: string;
  /** Set together with `keyFile`. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface DatabaseConfig {
  readonly url: DatabaseUrl;
  /** Connections that serve reads. */
  readonly readers: number;
  /** Connections that write, on PostgreSQL; on SQLite there is one. */
  readonly writers: number;
  /** A file of certificates for TLS, or empty. */
  readonly sslCa: string;
  /** How long PostgreSQL waits for a lock, and runs a statement. */
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** `auto` brings the schema up to date at start; `check` refuses to start on an old one. */
  readonly migrate: 'auto' | 'check';
  /** How long change rows are kept; undefined: for ever. */
  readonly changeRetentionMs: number | undefined;
}

export interface WriterConfig {
  /** Writes in one transaction. */
  readonly maxBatch: number;
  /** Writes that wait; at least `maxBatch`. */
  readonly maxQueue: number;
  /** Bytes of the writes that wait; at least twice `maxBodyBytes`, because one sequence may hold half of the queue. */
  readonly maxQueueBytes: number;
  /** Elements that one write may renumber, and versions that it may delete. */
  readonly maxRenumber: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  /** `auto`: when standard output is a terminal. */
  readonly pretty: 'auto' | 'on' | 'off';
}

export interface SyncConfig {
  /** Empty: not sent to Typesense directly. Never set together with `typesenseClientUrl`. */
  readonly typesenseUrl: string;
  readonly typesenseApiKey: string;
  /** Empty: not sent through the Typesense Client service. */
  readonly typesenseClientUrl: string;
  /** Empty: the key management service gives it. */
  readonly typesenseServiceApiKey: string;
  readonly keyManagementUrl: string;
  readonly adminToken: string;
  readonly collection: string;
  /** Whether this process sends. */
  readonly worker: 'on' | 'off';
  /** Calls of the Typesense Client service at a time. */
  readonly concurrency: number;
  readonly callTimeoutMs: number;
  /** Refusals of one document until it is parked. */
  readonly maxAttempts: number;
  /** How long a request may still be applied after it was given up. */
  readonly settleMs: number;
}

export interface Config {
  readonly server: ServerConfig;
  readonly tls: TlsConfig;
  readonly auth: AuthConfig;
  readonly database: DatabaseConfig;
  readonly writer: WriterConfig;
  readonly log: LogConfig;
  readonly service: { readonly name: string };
  readonly sync: SyncConfig;
  readonly client: ClientConfig;
  /** What a person should know though it does not hinder the start; for the log, once. */
  readonly warnings: readonly string[];
}
