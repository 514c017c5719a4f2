import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { POSTGRES_APPEND } from '../../../src/db/queries/append-postgres.ts';

/** What becomes of a COMMIT whose client is cut off as soon as it has sent it. */
export type CommitFault =
  /** It reaches the server after so many milliseconds; the client may be told before that the server panics. */
  | { readonly lateMs: number; readonly panics?: boolean }
  /** It never does; the server learns of the end after so many milliseconds. */
  | { readonly lostMs: number };

/** A TCP proxy in front of PostgreSQL that breaks connections as told. */
export interface PostgresProxy {
  /** The same DATABASE_URL, through the proxy. */
  url(place: string): string;
  /** The next COMMIT meets this, or a later one behind so many that pass. */
  cutCommit(fault: CommitFault, passing?: number): void;
  /** Passes nothing on, in neither direction, on connections that are open and on new ones. */
  hang(): void;
  /** Resets what hangs, and passes on from now on. */
  reset(): void;
  /** The next connection to become ready is ended by the server in the same packet. */
  farewell(): void;
  /** New connections go to another server of this machine. */
  point(place: string): void;
}

const COMMIT = Buffer.from('COMMIT\0');
/** What ends a statement that is a transaction of its own, and commits it. */
const SYNC = Buffer.from('S\0\0\0\x04');
/** How the text begins of the one statement that is. */
const ALONE = Buffer.from(POSTGRES_APPEND.sql.slice(0, 40));
/** What stands before it in the message that prepares it: the type, a length, a name. */
const PREPARES = /P[\s\S]{4}([^\0]+)\0$/;
const READY = Buffer.from('Z\0\0\0\x05I');
const FATAL_TEXT = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0';
const FATAL = Buffer.from(`E\0\0\0${String.fromCharCode(4 + FATAL_TEXT.length)}${FATAL_TEXT}`);
const PANIC_TEXT = 'SPANIC\0VPANIC\0C53100\0Mcould not write to log file: No space left on device\0\0';
const PANIC = Buffer.from(`E\0\0\0${String.fromCharCode(4 + PANIC_TEXT.length)}${PANIC_TEXT}`);
/** Type and length, which stand before a message. */
const HEAD = 5;

/** The name under which the statement is prepared that commits by itself, if it is. */
function preparedIn(chunk: Buffer): string | undefined {
  const at = chunk.indexOf(ALONE);
  return at === -1 ? undefined : PREPARES.exec(chunk.toString('latin1', 0, at))?.[1];
}

/** Where the message stands that commits; -1 where there is none. */
function commitIn(chunk: Buffer, alone: string | undefined): number {
  const at = chunk.indexOf(COMMIT);
  if (at !== -1) return at - HEAD;
  return alone !== undefined && chunk.includes(`\0${alone}\0`) ? chunk.lastIndexOf(SYNC) : -1;
}

/** Starts a proxy in front of a server on this machine; it ends when the test has finished. */
export async function startPostgresProxy(place: string): Promise<PostgresProxy> {
  let target = new URL(place);
  const sockets = new Set<Socket>();
  let fault: CommitFault | undefined;
  let toPass = 0;
  let hanging = false;
  let ending = false;

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay();
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  };
  const server = createServer((client) => {
    const backend = connect(Number(target.port), target.hostname);
    keep(client);
    keep(backend);
    let cut = false;
    let alone: string | undefined;
    client.on('data', (chunk) => {
      if (hanging || cut) return;
      alone ??= preparedIn(chunk);
      const at = fault === undefined ? -1 : commitIn(chunk, alone);
      if (at === -1 || toPass-- > 0) return void backend.write(chunk);
      const meets = fault!;
      fault = undefined;
      cut = true;
      backend.write(chunk.subarray(0, at));
      // What came before the commit is answered before the server panics.
      if ('panics' in meets) setTimeout(panic, meets.lateMs / 2);
      else client.resetAndDestroy();
      if ('lateMs' in meets) setTimeout(() => backend.end(chunk.subarray(at)), meets.lateMs);
      else setTimeout(() => backend.destroy(), meets.lostMs);
    });
    let panicked = false;
    const panic = () => {
      panicked = true;
      client.end(PANIC);
    };
    backend.on('data', (chunk) => {
      if (hanging || panicked || client.destroyed) return;
      if (!ending || chunk.lastIndexOf(READY) === -1) return void client.write(chunk);
      ending = false;
      client.end(Buffer.concat([chunk, FATAL]));
      backend.destroy();
    });
    client.on('close', () => {
      if (!cut) backend.destroy();
    });
    backend.on('close', () => client.destroy());
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url(place) {
      const url = new URL(place);
      url.host = `127.0.0.1:${port}`;
      return url.href;
    },
    cutCommit: (meets, passing = 0) => {
      fault = meets;
      toPass = passing;
    },
    hang: () => {
      hanging = true;
    },
    reset: () => {
      hanging = false;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    farewell: () => {
      ending = true;
    },
    point: (other) => {
      target = new URL(other);
    },
  };
}
