/** The effective configuration: a plain frozen object, grouped by who uses it. Times are milliseconds, sizes bytes. */

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the data is; more engines may join the union. */
export interface DatabaseUrl {
  readonly engine: 'sqlite';
  /** Absolute. Its folder may not exist yet. */
  readonly file: string;
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
  /** For a whole request, body included, to arrive. */
  readonly requestTimeoutMs: number;
  /** After which a connection that carries nothing is closed. */
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** Per HTTP/2 connection. */
  readonly maxConcurrentStreams: number;
  readonly maxConnections: number;
  /** Between "not ready" and the end of accepting, so that balancers notice. */
  readonly drainDelayMs: number;
  /** Hard deadline of the whole stop, `drainDelayMs` included; at most 9 s, so that the process is gone within 10. */
  readonly stopTimeoutMs: number;
}

export interface DatabaseConfig {
  readonly url: DatabaseUrl;
  /** Connections that serve reads. */
  readonly readers: number;
  /** `auto` brings the schema up to date at start; `check` refuses to start on an old one. */
  readonly migrate: 'auto' | 'check';
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
  readonly database: DatabaseConfig;
  readonly writer: WriterConfig;
  readonly log: LogConfig;
  readonly service: { readonly name: string };
  readonly sync: SyncConfig;
  /** What a person should know though it does not hinder the start; for the log, once. */
  readonly warnings: readonly string[];
}
