import { type Caller, h1Caller, h2Caller } from '../../support/caller.ts';
import { type Service, startService } from '../../support/service.ts';

/** What each call gives the service, milliseconds. */
const DEADLINE_MS = 5_000;

/** One of several processes on one database. */
export interface Replica {
  readonly index: number;
  readonly service: Service;
  readonly callers: readonly Caller[];
}

/** Replicas in processes of their own; a place is empty while its process is down. */
export class Replicas {
  readonly #places: (Replica | undefined)[];
  readonly #env: Readonly<Record<string, string>>;

  private constructor(count: number, env: Readonly<Record<string, string>>) {
    this.#places = Array.from({ length: count });
    this.#env = env;
  }

  static async start(count: number, env: Readonly<Record<string, string>>): Promise<Replicas> {
    const replicas = new Replicas(count, env);
    await Promise.all(replicas.#places.map((_, index) => replicas.start(index)));
    return replicas;
  }

  /** Those that are up. */
  get up(): readonly Replica[] {
    return this.#places.filter((replica) => replica !== undefined);
  }

  /** The replica whose turn it is; none while all are down. */
  at(turn: number): Replica | undefined {
    const { up } = this;
    return up[turn % up.length];
  }

  /** For readers of `bench/soak`. */
  async url(turn: number): Promise<string> {
    const replica = this.at(turn);
    if (replica === undefined) throw new Error('no replica is up');
    return replica.service.url;
  }

  /** What those say that ended by themselves. */
  async obituaries(): Promise<string> {
    const dead = this.up.filter(
      ({ service: { child } }) => child.exitCode !== null || child.signalCode !== null,
    );
    const ends = await Promise.all(dead.map(({ service }) => service.ended));
    return ends.map(({ code, stdout, stderr }) => `${code}: ${stdout.slice(-2_000)}${stderr}`).join('');
  }

  /** Starts the process of a place, from another copy of the source where one is given. */
  async start(index: number, root?: string): Promise<void> {
    // Only one process follows the index as long as processes have no leases in the database.
    const env = { LOG_LEVEL: 'info', ...this.#env };
    const service = await startService({ env, ...(root === undefined ? {} : { root }) });
    const headers = { 'connect-timeout-ms': String(DEADLINE_MS) };
    const callers = [h1Caller(service.port, headers), h2Caller(service.port, headers)];
    this.#places[index] = { index, service, callers };
  }

  async kill(index: number): Promise<void> {
    await this.#end(index, 'SIGKILL');
  }

  /** Stops a process in order; returns its exit code. */
  async stop(index: number): Promise<number | string> {
    return await this.#end(index, 'SIGTERM');
  }

  async #end(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string> {
    const replica = this.#places[index];
    if (replica === undefined) throw new Error(`replica ${index} is down`);
    this.#places[index] = undefined;
    replica.service.child.kill(signal);
    return (await replica.service.ended).code;
  }
}
