import { isLoopback } from './config/network.ts';
import type { Config } from './config.ts';
import { openDatabase } from './db/database.ts';
import { DrainingError } from './domain/errors.ts';
import { Reader } from './domain/reader.ts';
import { Retention } from './domain/retention.ts';
import { Writer } from './domain/writer.ts';
import { type Cors, createCors } from './http/cors.ts';
import { DEFAULT_LISTENER_LIMITS } from './http/limits.ts';
import { createListener } from './http/listener.ts';
import { createPlainRoutes } from './http/plain-routes.ts';
import { openTlsFiles } from './http/tls-files.ts';
import type { StreamHandler } from './http/types.ts';
import { createLogger, type Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { diagnosticsFor, openAuthenticator } from './rpc/auth/index.ts';
import { createRpcHandler, type RpcHandler, SERVICES } from './rpc/handler.ts';
import { HealthRegistry, ServingStatus } from './rpc/health/index.ts';
import { RateLimiter } from './rpc/rate-limit.ts';
import type { BreakerOptions } from './sync/breaker.ts';
import type { DispatcherLimits } from './sync/dispatcher.ts';
import { Sync } from './sync/sync.ts';
import { createTarget } from './sync/targets/create.ts';
import { RELEASE } from './util/release.ts';
import { collectAfterAnswers } from './util/young-garbage.ts';

/** Times of the circuit breaker and of the waits after failures, milliseconds. */
export type SyncConstants = Partial<BreakerOptions & Pick<DispatcherLimits, 'minWaitMs' | 'maxWaitMs'>>;

/** The one door for a clock or a log of a test's own. */
export interface AppOverrides {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** From 0 up to 1. */
  readonly random?: () => number;
  readonly log?: Log;
  /** The constants of how the index is followed, which nobody should have to configure. */
  readonly sync?: SyncConstants;
}

/** The service cannot start where and as it is told to; the message tells a person why. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The service, as the process and the tests run it. */
export interface App {
  readonly log: Log;
  readonly metrics: Metrics;
  /**
   * Opens what is needed and listens. A failed start closes what it had opened, the log included. Further calls get
   * the same promise.
   * @returns where it listens
   * @throws DatabaseStartError, StartError with a message for people
   */
  start(): Promise<{ host: string; port: number }>;
  /**
   * Stops in order: not ready, Watches ended, `drainDelayMs`, running RPCs answered, writer flushed, database
   * closed, log flushed. After `stopTimeoutMs` what still runs is cut off. Waits for a start in progress; further
   * calls get the same promise.
   * @returns whether everything was answered in time
   */
  stop(): Promise<boolean>;
  /** Cuts off what runs, so that a pending stop ends soon, and resolves with false. */
  kill(): void;
}

/** Puts the service together. Nothing is opened before `start`. */
export function createApp(config: Config, overrides: AppOverrides = {}): App {
  return new Service(config, overrides);
}

/** Of the circuit breaker around the search index. */
const BREAKER = {
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  windowMs: 10_000,
  minOpenMs: 5_000,
  maxOpenMs: 60_000,
} satisfies BreakerOptions;
/** Between sends that failed, milliseconds. */
const WAITS = { minWaitMs: 200, maxWaitMs: 60_000 };

/** Offers requests over HTTP/2 to the lane, with what CORS adds to every answer. */
function streamTaker(take: NonNullable<RpcHandler['takeHttp2']>, cors: Cors): StreamHandler {
  return (stream, headers, rawHeaders) =>
    take({ stream, headers, rawHeaders, answerHeaders: cors.answerHeaders(headers.origin) });
}

class Service implements App {
  readonly log: Log;
  readonly metrics = createMetrics();
  readonly #config: Config;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #health = new HealthRegistry({ services: SERVICES.map(({ typeName }) => typeName) });
  /** What closes what was opened, in the order of opening. */
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #killed = new AbortController();
  readonly #syncConstants: SyncConstants;
  #sync: Sync | undefined;
  #ready = false;
  #inTime = true;
  #starting: Promise<{ host: string; port: number }> | undefined;
  #stopping: Promise<boolean> | undefined;

  constructor(config: Config, overrides: AppOverrides) {
    this.#config = config;
    this.#now = overrides.now ?? Date.now;
    this.#random = overrides.random ?? Math.random;
    this.#syncConstants = overrides.sync ?? {};
    this.log = overrides.log ?? createLogger({ ...config.log, serviceName: config.service.name });
  }

  start(): Promise<{ host: string; port: number }> {
    this.#starting ??=
      this.#stopping === undefined
        ? this.#start()
        : Promise.reject(new StartError('the service has been stopped'));
    return this.#starting;
  }

  stop(): Promise<boolean> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  kill(): void {
    this.#inTime = false;
    this.#killed.abort();
  }

  async #start(): Promise<{ host: string; port: number }> {
    try {
      return await this.#open();
    } catch (error) {
      await this.#close();
      await this.log.close();
      throw error;
    }
  }

  async #open(): Promise<{ host: string; port: number }> {
    const { server, database: databaseConfig, writer: limits } = this.#config;
    const { logger } = this.log;
    for (const warning of this.#config.warnings) logger.warn(warning);

    const { auth, tls } = this.#config;
    const clientCertificates = tls.clientCaFile !== '';
    const onlyThisMachine = isLoopback(server.host);
    if (!onlyThisMachine && auth.mode === '' && !clientCertificates)
      throw new StartError(
        `HOST is ${server.host}, which others can reach: set AUTH=tokens or AUTH=jwt, or AUTH=none to let everybody in`,
      );
    const { authenticator, close: closeAuthenticator } = await openAuthenticator({
      auth,
      clientCertificates,
      adminToken: this.#config.sync.adminToken,
      logger,
      now: this.#now,
    }).catch((cause: Error) => {
      throw new StartError(cause.message, { cause });
    });
    this.#closers.push(async () => closeAuthenticator());
    const asksNobody = ['', 'none'].includes(auth.mode) && !clientCertificates;
    const publicDiagnostics =
      auth.publicDiagnostics === 'on' ||
      (auth.publicDiagnostics === 'auto' && (onlyThisMachine || asksNobody));

    const database = await openDatabase({ ...databaseConfig, name: this.#config.service.name });
    this.#closers.push(() => database.close());
    if (database.migrated.length > 0) logger.info({ migrations: database.migrated }, 'database migrated');

    let wakeSync = () => {};
    const writer = new Writer({
      connection: database.writer,
      lanes: database.lanes,
      limits,
      metrics: this.metrics.writer,
      now: this.#now,
      onCommit: () => {
        wakeSync();
        database.hints?.send('dirty');
        collectAfterAnswers();
      },
      onError: (error) => logger.error({ err: error }, 'a batch of writes failed'),
    });
    this.#closers.push(() => writer.close());
    if (databaseConfig.changeRetentionMs !== undefined) {
      const retention = new Retention({
        writer,
        keepMs: databaseConfig.changeRetentionMs,
        now: this.#now,
        onDeleted: (count) => logger.info({ count }, 'old change rows were deleted'),
        onError: (error) => logger.error({ err: error }, 'old change rows were not deleted'),
      });
      this.#closers.push(() => retention.stop());
      retention.start();
    }

    const { sync: syncConfig, service } = this.#config;
    const shared = database.engine.capabilities.manyWriters ? database.writer : undefined;
    const sends = syncConfig.worker === 'on';
    const target =
      sends || shared !== undefined
        ? await createTarget(syncConfig, service.name, (outcome) =>
            this.metrics.sync.keyRefreshes.inc({ outcome }),
          )
        : undefined;
    const sync = new Sync({
      reads: database.syncReads,
      writer,
      shared,
      target,
      sends,
      tell: (hint) => database.hints?.send(hint),
      limits: { ...syncConfig, ...WAITS, ...this.#syncConstants },
      breaker: { ...BREAKER, ...this.#syncConstants },
      metrics: this.metrics.sync,
      logger,
      now: this.#now,
      random: this.#random,
      serviceName: service.name,
    });
    wakeSync = () => sync.wake();
    database.hints?.listen((hint) => (hint === 'dirty' ? sync.wake() : sync.wakeWaiting()));
    this.#sync = sync;
    this.#closers.push(async () => {
      const cutOff = () => sync.cutOff();
      this.#killed.signal.addEventListener('abort', cutOff, { once: true });
      if (this.#killed.signal.aborted) cutOff();
      await sync.stop();
    });
    sync.start();

    const reader = new Reader(database.reads);
    const rateLimiter = server.rateLimit && new RateLimiter(server.rateLimit);
    const rpc = createRpcHandler({
      writer,
      reader,
      sync,
      health: this.#health,
      metrics: this.metrics.rpc,
      logger,
      authenticator,
      publicDiagnostics,
      maxBodyBytes: server.maxBodyBytes,
      defaultDeadlineMs: server.defaultDeadlineMs,
      rateLimiter,
      lane: server.lane === 'on',
    });
    const cors = createCors([...server.corsOrigins]);
    const routes = createPlainRoutes({
      mayDiagnose: diagnosticsFor(publicDiagnostics, authenticator, rateLimiter),
      health: () => true,
      ready: async () => {
        await database.reads.check();
        const { enabled, breakerState, oldestAgeSeconds } = await sync.status();
        const fileFault = await database.files?.fault();
        if (fileFault !== undefined) logger.error({ fault: fileFault }, 'the database file was taken away');
        return {
          ready: this.#ready && fileFault === undefined,
          checks: {
            database: { engine: database.engine.name, ok: fileFault === undefined },
            // Shown, and never a reason to be taken out: a search outage does not hinder writes.
            sync: { enabled, breaker: breakerState, oldest_age_seconds: oldestAgeSeconds },
          },
        };
      },
      metrics: async () => {
        await sync.measure();
        const { registry, files } = this.metrics;
        files.ok.set((await database.files?.fault()) === undefined ? 1 : 0);
        for (const [name, bytes] of Object.entries(database.files?.sizes ?? {}))
          files.bytes.set({ file: name }, bytes);
        return { contentType: registry.contentType, body: await registry.metrics() };
      },
      onError: (error) => logger.error({ err: error }, 'a plain route failed'),
    });
    const tlsFiles =
      tls.certFile === ''
        ? undefined
        : await openTlsFiles({
            ...tls,
            onChange: (material) => {
              listener.renewTls(material);
              logger.info('the certificates were read again; new connections get them');
            },
            onFault: (error) =>
              logger.error({ err: error }, 'the certificates cannot be used; those before them stay'),
          }).catch((cause: Error) => {
            throw new StartError(cause.message, { cause });
          });
    this.#closers.push(async () => tlsFiles?.close());
    const listener = createListener({
      host: server.host,
      port: server.port,
      tls: tlsFiles?.value,
      limits: {
        ...DEFAULT_LISTENER_LIMITS,
        headersTimeoutMs: server.headersTimeoutMs,
        requestTimeoutMs: server.requestTimeoutMs,
        answerTimeoutMs: server.requestTimeoutMs,
        idleTimeoutMs: server.idleTimeoutMs,
        maxHeaderBytes: server.maxHeaderBytes,
        maxConcurrentStreams: server.maxConcurrentStreams,
        maxConnections: server.maxConnections,
      },
      onRequest: (request, response) => {
        if (!cors(request, response) && !routes(request, response)) rpc(request, response);
      },
      ...(rpc.takeHttp2 && { onStream: streamTaker(rpc.takeHttp2, cors) }),
      onRefused: (reason) => this.metrics.rpc.refused.inc({ reason }),
      onError: (error) => logger.error({ err: error }, 'the listener failed'),
    });
    this.#closers.push(async () => {
      const kill = () => listener.destroy();
      this.#killed.signal.addEventListener('abort', kill, { once: true });
      if (this.#killed.signal.aborted) kill();
      await listener.stop();
    });
    const address = await listener.start().catch((cause: Error) => {
      throw new StartError(cause.message, { cause });
    });
    this.#ready = true;
    this.#health.setAll(ServingStatus.SERVING);
    logger.info({ ...address, ...(tlsFiles && { tls: true }), release: RELEASE }, 'serving');
    return address;
  }

  async #stop(): Promise<boolean> {
    await this.#starting?.catch(() => {});
    const deadline = setTimeout(() => {
      this.log.logger.error('the stop took too long; what still runs is cut off');
      this.kill();
    }, this.#config.server.stopTimeoutMs);
    this.#ready = false;
    this.#health.shutdown(new DrainingError());
    this.#sync?.drain();
    await this.#delay(this.#config.server.drainDelayMs);
    await this.#close();
    clearTimeout(deadline);
    this.log.logger.info('stopped');
    await this.log.close();
    return this.#inTime;
  }

  /** Closes in reverse what was opened; one that fails does not keep the others from it. */
  async #close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed())
      await close().catch((error: unknown) => {
        this.#inTime = false;
        this.log.logger.error({ err: error }, 'a part of the service could not be closed');
      });
  }

  async #delay(ms: number): Promise<void> {
    if (ms === 0 || this.#killed.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#killed.signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
  }
}
