import { Code, ConnectError } from '@connectrpc/connect';
import { HealthCheckResponse_ServingStatus as ServingStatus } from '../../../gen/health/v1/health_pb.js';

export { ServingStatus };

/** What a service can be set to: the protocol keeps `SERVICE_UNKNOWN` for the answers of Watch. */
export type SettableStatus = Exclude<ServingStatus, ServingStatus.SERVICE_UNKNOWN>;

/** Options of {@link HealthRegistry}; all have defaults. */
export interface HealthRegistryOptions {
  /** Services that are known from the start, NOT_SERVING until set, as the whole server (`''`) always is. */
  readonly services?: readonly string[];
  /** Watches open at one time; a further one gets RESOURCE_EXHAUSTED. Default 1,000. */
  readonly maxWatches?: number;
  /** Services that List answers with; if more are known it gets RESOURCE_EXHAUSTED. Default 100, as in grpc-go. */
  readonly maxListed?: number;
}

/** A Watch holds its service's name for as long as it likes, so the longest name bounds what all of them hold. */
const maxWatchedNameLength = 1_024;

interface OpenWatch {
  readonly service: string;
  wake(): void;
}

/**
 * The health of a server's services, by full name; `''` is the server as a whole. It holds what
 * {@link https://github.com/grpc/grpc/blob/master/doc/health-checking.md | gRPC's health checking protocol} asks about.
 */
export class HealthRegistry {
  readonly #statuses = new Map<string, SettableStatus>();
  readonly #watches = new Set<OpenWatch>();
  readonly #maxWatches: number;
  readonly #maxListed: number;
  #final = false;
  #ended: { readonly reason: Error | undefined } | undefined;

  constructor(options: HealthRegistryOptions = {}) {
    this.#maxWatches = options.maxWatches ?? 1_000;
    this.#maxListed = options.maxListed ?? 100;
    for (const service of ['', ...(options.services ?? [])]) {
      this.#statuses.set(service, ServingStatus.NOT_SERVING);
    }
  }

  /** Watches open now; a Watch counts until its RPC has ended, whichever side ended it. */
  get openWatches(): number {
    return this.#watches.size;
  }

  /** The status of a service, `undefined` when it is unknown. */
  get(service: string): SettableStatus | undefined {
    return this.#statuses.get(service);
  }

  /**
   * Sets one service, known or new, and tells its Watches. It leaves `''` alone: whether one service's trouble is
   * the server's is for the caller to say. After {@link shutdown} it does nothing.
   */
  set(service: string, status: SettableStatus): void {
    if (this.#final || this.#statuses.get(service) === status) return;
    this.#statuses.set(service, status);
    for (const watch of this.#watches) {
      if (watch.service === service) watch.wake();
    }
  }

  /** Sets every known service, `''` included. After {@link shutdown} it does nothing. */
  setAll(status: SettableStatus): void {
    for (const service of this.#statuses.keys()) this.set(service, status);
  }

  /**
   * All known services and their status.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED when there are more than `maxListed`.
   */
  list(): Map<string, SettableStatus> {
    if (this.#statuses.size > this.#maxListed) {
      throw new ConnectError(
        `more than ${this.#maxListed} services are known: Check those you need`,
        Code.ResourceExhausted,
      );
    }
    return new Map(this.#statuses);
  }

  /**
   * The status of a service now, then each change of it, until `signal` aborts or {@link endWatches} is called.
   * Nothing is queued: a reader that is slow gets the newest status when it comes back, and misses what passed in
   * between. A service that is unknown is `SERVICE_UNKNOWN` and may become known.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED past `maxWatches`, INVALID_ARGUMENT for a name longer than 1,024
   *   characters, the signal's own reason, or CANCELLED, when it aborts.
   */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus, void, undefined> {
    const watch = this.#open(service, signal);
    // A generator that waits for its reader to take a message does not run, and when the reader's connection dies then,
    // nobody may resume it: the signal itself has to close the Watch.
    const close = () => {
      this.#watches.delete(watch);
      watch.wake();
    };
    signal.addEventListener('abort', close, { once: true });
    try {
      let told: ServingStatus | undefined;
      while (!signal.aborted) {
        const status = this.#statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status !== told) {
          told = status;
          yield status;
        } else if (this.#ended) {
          if (this.#ended.reason) throw this.#ended.reason;
          return;
        } else {
          await new Promise<void>((resolve) => {
            watch.wake = resolve;
          });
        }
      }
      throw abortError(signal);
    } finally {
      signal.removeEventListener('abort', close);
      this.#watches.delete(watch);
    }
  }

  /**
   * Ends every Watch, for good: an open one is told the status it has not yet been told and ends; a later one is told
   * the current status and ends, so that clients which come back at once do not hold up a server that is stopping.
   * They end with status OK, or with `reason` if one is given; the protocol has clients retry after either.
   */
  endWatches(reason?: Error): void {
    if (this.#ended) return;
    this.#ended = { reason };
    for (const watch of this.#watches) watch.wake();
  }

  /** Sets every known service NOT_SERVING, for good, tells the Watches, and ends them as {@link endWatches} does. */
  shutdown(reason?: Error): void {
    this.setAll(ServingStatus.NOT_SERVING);
    this.#final = true;
    this.endWatches(reason);
  }

  #open(service: string, signal: AbortSignal): OpenWatch {
    if (signal.aborted) throw abortError(signal);
    if (service.length > maxWatchedNameLength) {
      throw new ConnectError(
        `a watched service's name is ${maxWatchedNameLength} characters at most`,
        Code.InvalidArgument,
      );
    }
    if (this.#watches.size >= this.#maxWatches) {
      throw new ConnectError(`${this.#maxWatches} Watches are open already`, Code.ResourceExhausted);
    }
    const watch: OpenWatch = { service, wake() {} };
    this.#watches.add(watch);
    return watch;
  }
}

function abortError(signal: AbortSignal): ConnectError {
  return signal.reason instanceof ConnectError
    ? signal.reason
    : new ConnectError('the call was cancelled', Code.Canceled);
}
