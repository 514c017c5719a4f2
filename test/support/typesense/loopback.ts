import http from 'node:http';
import type { Socket } from 'node:net';

/** Below the range from which the kernel takes ports for outgoing connections; a share of it for each process. */
const PORTS = { first: 20_000, perProcess: 500, shares: 24 };
const FIRST_OF_PROCESS = PORTS.first + (process.pid % PORTS.shares) * PORTS.perProcess;

/** No port twice in one process, as long as there are others: one that is closed for a while stays its owner's. */
let given = 0;

/**
 * An HTTP server on 127.0.0.1 that keeps its port through any number of closings. The port is not one that the kernel
 * hands out: while it is closed nobody gets it, and a client that connects to it cannot by chance connect to itself.
 */
export class Loopback {
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  /** Connections accepted so far. */
  accepted = 0;

  constructor(keepAliveMs: number, onRequest: http.RequestListener) {
    this.#server = http.createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0 }, onRequest);
    this.#server.on('connection', (socket) => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens, on the port that it had before. Nothing when it does already. */
  async open(): Promise<void> {
    if (this.listening) return;
    if (this.#port !== 0) return await this.#listen(this.#port);
    for (let attempt = 1; ; attempt++) {
      const port = FIRST_OF_PROCESS + (given++ % PORTS.perProcess);
      try {
        await this.#listen(port);
        this.#port = port;
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === PORTS.perProcess)
          throw error;
      }
    }
  }

  /** Stops listening and breaks every connection. */
  async close(): Promise<void> {
    const closed = this.listening && new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }
}
