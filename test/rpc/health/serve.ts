import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';

/** One listening server, and the connections that it has accepted. */
export interface Listening {
  readonly port: number;
  /** Kills every connection without a word, as a crashed client or a cut cable would. */
  cutConnections(): void;
  close(): Promise<void>;
}

/** Serves the routes on a free port of 127.0.0.1, over HTTP/2 without TLS or over HTTP/1.1. */
export async function serve(
  protocol: 'h2c' | 'http1',
  routes: (router: ConnectRouter) => void,
): Promise<Listening> {
  const handler = connectNodeAdapter({ routes });
  const server: Server = protocol === 'h2c' ? http2.createServer(handler) : http.createServer(handler);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cutConnections,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cutConnections();
      return closed;
    },
  };
}

/** Waits until something is true, and fails when that takes longer than two seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not seen within 2 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
