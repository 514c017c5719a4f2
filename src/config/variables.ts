/** Every variable that the service reads, once: parsing, checks, masking, `cli config` and `.env.example` follow it. */

import { databaseUrl } from './database-url.ts';
import { choice, duration, integer, type Kind, label, secret, size } from './kinds.ts';
import { hostName, httpUrl, origins } from './network.ts';
import type { Config } from './types.ts';

export type Group = 'server' | 'database' | 'writer' | 'log' | 'service' | 'sync';

export interface Variable<Name extends string = string, T = unknown> {
  readonly name: Name;
  readonly group: Group;
  /** Meaning, in sentences; the range and the default are added to it where it is printed. */
  readonly help: string;
  /** As a person would write it; an empty variable counts as not set. */
  readonly default: string;
  readonly kind: Kind<T>;
  /** `secret`: never shown. `credentials`: never repeated in a message, shown with its credentials masked. */
  readonly sensitive?: 'secret' | 'credentials';
  /** Where the value stands in the configuration. */
  readonly from: (config: Config) => T;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const KIB = 1024;
const MIB = 1024 * KIB;

/** In the order in which they are printed. */
export const VARIABLES = [
  variable({
    name: 'HOST',
    group: 'server',
    help: 'The address to listen on. A container sets 0.0.0.0 (or :: for IPv6 as well).',
    default: '127.0.0.1',
    kind: hostName,
    from: (config) => config.server.host,
  }),
  variable({
    name: 'PORT',
    group: 'server',
    help: 'The one port for gRPC, gRPC-web, Connect and plain HTTP. 0 takes any free port.',
    default: '8080',
    kind: integer({ min: 0, max: 65_535 }),
    from: (config) => config.server.port,
  }),
  variable({
    name: 'CORS_ORIGINS',
    group: 'server',
    help: 'The web origins whose pages may call the service from a browser. Empty allows none.',
    default: '',
    kind: origins,
    from: (config) => config.server.corsOrigins,
  }),
  variable({
    name: 'DEFAULT_DEADLINE',
    group: 'server',
    help: 'The deadline of a call whose client names none.',
    default: '30s',
    kind: duration({ min: 1, max: 10 * MINUTE }),
    from: (config) => config.server.defaultDeadlineMs,
  }),
  variable({
    name: 'MAX_BODY_BYTES',
    group: 'server',
    help: 'The largest request message, as sent and after decompression.',
    default: '4MiB',
    kind: size({ min: KIB, max: 64 * MIB }),
    from: (config) => config.server.maxBodyBytes,
  }),
  variable({
    name: 'LANE',
    group: 'server',
    help: 'Whether plain unary calls take the lane in front of the stock adapter: the same answers, for less work.',
    default: 'on',
    kind: choice(['on', 'off']),
    from: (config) => config.server.lane,
  }),
  variable({
    name: 'HEADERS_TIMEOUT',
    group: 'server',
    help: 'The time that a client has to send the headers of a request. At most REQUEST_TIMEOUT.',
    default: '10s',
    kind: duration({ min: 100, max: 10 * MINUTE }),
    from: (config) => config.server.headersTimeoutMs,
  }),
  variable({
    name: 'REQUEST_TIMEOUT',
    group: 'server',
    help: 'The time that a client has to send a whole request, body included.',
    default: '30s',
    kind: duration({ min: 100, max: 10 * MINUTE }),
    from: (config) => config.server.requestTimeoutMs,
  }),
  variable({
    name: 'IDLE_TIMEOUT',
    group: 'server',
    help: 'The time after which a connection that carries nothing is closed.',
    default: '2m',
    kind: duration({ min: 100, max: 24 * HOUR }),
    from: (config) => config.server.idleTimeoutMs,
  }),
  variable({
    name: 'MAX_HEADER_BYTES',
    group: 'server',
    help: 'The largest head of a request: its line and all its headers.',
    default: '16KiB',
    kind: size({ min: KIB, max: MIB }),
    from: (config) => config.server.maxHeaderBytes,
  }),
  variable({
    name: 'MAX_CONCURRENT_STREAMS',
    group: 'server',
    help: 'The calls that one HTTP/2 connection may have open.',
    default: '256',
    kind: integer({ min: 1, max: 100_000 }),
    from: (config) => config.server.maxConcurrentStreams,
  }),
  variable({
    name: 'MAX_CONNECTIONS',
    group: 'server',
    help: 'The connections that may be open; further ones are closed at once.',
    default: '10000',
    kind: integer({ min: 1, max: 1_000_000 }),
    from: (config) => config.server.maxConnections,
  }),
  variable({
    name: 'DRAIN_DELAY',
    group: 'server',
    help: 'At a stop, the time between "not ready" and the end of accepting, so that load balancers notice. Below STOP_TIMEOUT, of which it is a part.',
    default: '0s',
    kind: duration({ min: 0, max: 8000 }),
    from: (config) => config.server.drainDelayMs,
  }),
  variable({
    name: 'STOP_TIMEOUT',
    group: 'server',
    help: 'The hard deadline of a stop; what is still open then is cut. The process is gone within 10 s of the signal.',
    default: '8s',
    kind: duration({ min: 100, max: 9000 }),
    from: (config) => config.server.stopTimeoutMs,
  }),
  variable({
    name: 'DATABASE_URL',
    group: 'database',
    help: 'The database file. Three slashes are followed by a path relative to the working directory, four make it absolute. A missing folder is created.',
    default: 'sqlite:///./data/sequence.db',
    kind: databaseUrl,
    sensitive: 'credentials',
    from: (config) => config.database.url,
  }),
  variable({
    name: 'DATABASE_READERS',
    group: 'database',
    help: 'The connections that serve reads, beside the one that writes.',
    default: '2',
    kind: integer({ min: 1, max: 16 }),
    from: (config) => config.database.readers,
  }),
  variable({
    name: 'MIGRATE',
    group: 'database',
    help: 'What to do at start with a schema of an earlier release: auto brings it up to date, check refuses to start. An empty database is always set up.',
    default: 'auto',
    kind: choice(['auto', 'check']),
    from: (config) => config.database.migrate,
  }),
  variable({
    name: 'WRITER_MAX_BATCH',
    group: 'writer',
    help: 'The writes that one transaction takes.',
    default: '512',
    kind: integer({ min: 1, max: 10_000 }),
    from: (config) => config.writer.maxBatch,
  }),
  variable({
    name: 'WRITER_MAX_QUEUE',
    group: 'writer',
    help: 'The writes that may wait; past it callers are told at once that the service is overloaded. At least WRITER_MAX_BATCH.',
    default: '8192',
    kind: integer({ min: 2, max: 1_000_000 }),
    from: (config) => config.writer.maxQueue,
  }),
  variable({
    name: 'WRITER_MAX_QUEUE_BYTES',
    group: 'writer',
    help: 'The bytes of the writes that may wait. At least twice MAX_BODY_BYTES, since one sequence may hold half of the queue.',
    default: '64MiB',
    kind: size({ min: 2 * KIB, max: 4096 * MIB }),
    from: (config) => config.writer.maxQueueBytes,
  }),
  variable({
    name: 'MAX_RENUMBER',
    group: 'writer',
    help: 'The elements that one write may renumber, and the versions that it may delete; a larger write is refused before it starts.',
    default: '100000',
    kind: integer({ min: 1, max: 10_000_000 }),
    from: (config) => config.writer.maxRenumber,
  }),
  variable({
    name: 'LOG_LEVEL',
    group: 'log',
    help: 'The least severe lines that are logged.',
    default: 'info',
    kind: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    from: (config) => config.log.level,
  }),
  variable({
    name: 'LOG_PRETTY',
    group: 'log',
    help: 'Lines for people instead of JSON, where pino-pretty is installed. auto: when standard output is a terminal.',
    default: 'auto',
    kind: choice(['auto', 'on', 'off']),
    from: (config) => config.log.pretty,
  }),
  variable({
    name: 'SERVICE_NAME',
    group: 'service',
    help: 'The name that the service gives itself in its logs.',
    default: 'sequence-service',
    kind: label({ maxLength: 64 }),
    from: (config) => config.service.name,
  }),
  variable({
    name: 'TYPESENSE_URL',
    group: 'sync',
    help: 'The address of Typesense, where documents are sent to it directly. Not together with TYPESENSE_CLIENT_URL; without either, changes are marked and not sent.',
    default: '',
    kind: httpUrl,
    sensitive: 'credentials',
    from: (config) => config.sync.typesenseUrl,
  }),
  variable({
    name: 'TYPESENSE_API_KEY',
    group: 'sync',
    help: 'The key of Typesense: it must allow to create collections and to write documents.',
    default: '',
    kind: secret,
    sensitive: 'secret',
    from: (config) => config.sync.typesenseApiKey,
  }),
  variable({
    name: 'TYPESENSE_CLIENT_URL',
    group: 'sync',
    help: 'The address of the Typesense Client service, where documents are sent through it.',
    default: '',
    kind: httpUrl,
    sensitive: 'credentials',
    from: (config) => config.sync.typesenseClientUrl,
  }),
  variable({
    name: 'TYPESENSE_SERVICE_API_KEY',
    group: 'sync',
    help: 'The bearer key of the Typesense Client service; empty where the key management service gives it.',
    default: '',
    kind: secret,
    sensitive: 'secret',
    from: (config) => config.sync.typesenseServiceApiKey,
  }),
  variable({
    name: 'KEY_MANAGEMENT_URL',
    group: 'sync',
    help: 'The address of the key management service, asked for the key of SERVICE_NAME.',
    default: '',
    kind: httpUrl,
    sensitive: 'credentials',
    from: (config) => config.sync.keyManagementUrl,
  }),
  variable({
    name: 'ADMIN_TOKEN',
    group: 'sync',
    help: 'The bearer token that the key management service asks for.',
    default: '',
    kind: secret,
    sensitive: 'secret',
    from: (config) => config.sync.adminToken,
  }),
  variable({
    name: 'TYPESENSE_COLLECTION',
    group: 'sync',
    help: 'The collection that holds the documents; created where it is missing.',
    default: 'sequence_documents',
    kind: label({ maxLength: 64 }),
    from: (config) => config.sync.collection,
  }),
  variable({
    name: 'SYNC_WORKER',
    group: 'sync',
    help: 'Whether this process sends documents. off: it only marks them, for another to send.',
    default: 'on',
    kind: choice(['on', 'off']),
    from: (config) => config.sync.worker,
  }),
  variable({
    name: 'SYNC_CONCURRENCY',
    group: 'sync',
    help: 'Calls of the Typesense Client service at a time.',
    default: '16',
    kind: integer({ min: 1, max: 256 }),
    from: (config) => config.sync.concurrency,
  }),
  variable({
    name: 'SYNC_CALL_TIMEOUT',
    group: 'sync',
    help: 'A call of the search index is given up after this time.',
    default: '5s',
    kind: duration({ min: 10, max: 5 * MINUTE }),
    from: (config) => config.sync.callTimeoutMs,
  }),
  variable({
    name: 'SYNC_MAX_ATTEMPTS',
    group: 'sync',
    help: 'Refusals of one document until it is parked.',
    default: '5',
    kind: integer({ min: 1, max: 1000 }),
    from: (config) => config.sync.maxAttempts,
  }),
  variable({
    name: 'SYNC_SETTLE',
    group: 'sync',
    help: 'How long the search index may still apply a request after this service has given it up; the document is sent once more then.',
    default: '30s',
    kind: duration({ min: 0, max: HOUR }),
    from: (config) => config.sync.settleMs,
  }),
] as const;

/** The parsed values by name, before they are grouped. */
export type Values = {
  readonly [V in (typeof VARIABLES)[number] as V['name']]: ReturnType<V['kind']['parse']>;
};

function variable<const Name extends string, T>(declared: Variable<Name, T>): Variable<Name, T> {
  return declared;
}
