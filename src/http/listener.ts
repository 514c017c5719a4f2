import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createH1, type H1 } from './h1.ts';
import { createH2, type H2 } from './h2.ts';
import type { ListenerLimits } from './limits.ts';
import { Sniffer } from './sniff.ts';
import { createTlsFront, type TlsFront, type TlsMaterial } from './tls.ts';
import type { ListenerHooks } from './types.ts';

/** What a {@link Listener} is made of. */
export interface ListenerOptions extends ListenerHooks {
  /** Address to listen on: an IP address or a name that resolves to one. */
  host: string;
  /** TCP port, 0 to 65535; 0 lets the system choose one. */
  port: number;
  /** With it, the port speaks TLS and nothing else. */
  tls?: TlsMaterial | undefined;
  /** Every bound, explicitly; `DEFAULT_LISTENER_LIMITS` holds the defaults. */
  limits: ListenerLimits;
}

/**
 * One TCP port that answers HTTP/1.1 and HTTP/2: without TLS by what a connection begins with (prior knowledge), with
 * TLS by ALPN and the same.
 */
export interface Listener {
  /**
   * Starts to listen; a further call returns the same promise.
   * @returns the address and port in use
   * @throws Error that names host and port, when they cannot be had or the listener has been stopped
   */
  start(): Promise<{ host: string; port: number }>;
  /** The port in use. @throws Error before {@link start} has resolved */
  readonly port: number;
  /**
   * Stops to accept, closes what is idle (HTTP/1.1 answers say `connection: close`, HTTP/2 sends GOAWAY after a round
   * trip), and resolves when the last running request has been answered and the last connection has closed. It has no
   * deadline: follow it with {@link destroy}. A call during start waits for it; a further call returns the same promise.
   */
  stop(): Promise<void>;
  /** Closes everything at once, answered or not, and settles a pending stop. */
  destroy(): void;
  /** Connections that are open now. */
  connections(): number;
  /** New connections get these certificates. @throws Error where they cannot be used; those before it stay */
  renewTls(material: TlsMaterial): void;
}

/** Makes a listener; nothing is opened before `start`. */
export function createListener(options: ListenerOptions): Listener {
  return new OnePort(options);
}

/** What runs between start and stop. */
interface Parts {
  tls: TlsFront | undefined;
  sniffer: Sniffer;
  h1: H1;
  h2: H2;
  sweeping: NodeJS.Timeout;
}

class OnePort implements Listener {
  readonly #options: ListenerOptions;
  readonly #tcp = createServer({ allowHalfOpen: true, noDelay: true });
  readonly #sockets = new Set<Socket>();
  /** Sockets whose half we have closed, and when that was first seen. */
  readonly #lingering = new Map<Socket, number>();
  #parts: Parts | undefined;
  #address: { host: string; port: number } | undefined;
  #starting: Promise<{ host: string; port: number }> | undefined;
  #stopping: Promise<void> | undefined;
  #destroyed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tcp.maxConnections = options.limits.maxConnections;
    this.#tcp.on('connection', (socket) => this.#accept(socket));
    this.#tcp.on('drop', () => options.onRefused('too_many_connections'));
  }

  get port(): number {
    if (this.#address === undefined) {
      throw new Error('the listener has not been started');
    }
    return this.#address.port;
  }

  connections(): number {
    return this.#sockets.size;
  }

  renewTls(material: TlsMaterial): void {
    this.#parts?.tls?.renew(material);
  }

  start(): Promise<{ host: string; port: number }> {
    this.#starting ??=
      this.#stopping === undefined
        ? this.#open()
        : Promise.reject(new Error('the listener has been stopped'));
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#shut();
    return this.#stopping;
  }

  destroy(): void {
    this.#destroyed = true;
    void this.stop();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  async #open(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options;
    const parts = this.#assemble();
    try {
      this.#tcp.listen({ host, port });
      await once(this.#tcp, 'listening');
    } catch (cause) {
      release(parts);
      throw new Error(`cannot listen on ${hostPort(host, port)}: ${reasonOf(cause)}`, { cause });
    }
    this.#parts = parts;
    // A failed accept (no file descriptors left) is said here; the server goes on.
    this.#tcp.on('error', (err) => this.#options.onError(err));
    const { address, port: actualPort } = this.#tcp.address() as AddressInfo;
    this.#address = { host: address, port: actualPort };
    return this.#address;
  }

  #assemble(): Parts {
    const { limits, tls: material } = this.#options;
    const protocolOptions = { hooks: this.#options, limits };
    const h1 = createH1(protocolOptions);
    const h2 = createH2(protocolOptions);
    const sniffer = new Sniffer(
      limits.firstByteTimeoutMs,
      (socket, protocol) => {
        // Over TLS, HTTP/2 is agreed upon in the handshake (RFC 9113, 3.2); Node takes it in no other way.
        if (protocol === 'h2' && 'encrypted' in socket && (socket as TLSSocket).alpnProtocol !== 'h2') {
          this.#options.onRefused('malformed_request');
          socket.destroy();
        } else (protocol === 'h2' ? h2 : h1).accept(socket);
      },
      () => this.#options.onRefused('first_byte_timeout'),
    );
    const tls =
      material &&
      createTlsFront(material, limits.firstByteTimeoutMs, {
        onSecure: (socket) => {
          // As for the connection beneath it: whoever else listens stops to at some time.
          socket.on('error', () => {});
          this.#watchEnd(socket);
          sniffer.add(socket, performance.now());
        },
        onRefused: () => this.#options.onRefused('tls_handshake'),
      });
    const sweeping = setInterval(() => {
      const nowMs = performance.now();
      sniffer.sweep(nowMs);
      h1.sweep(nowMs);
      h2.sweep(nowMs);
      this.#sweepLingering(nowMs);
    }, limits.sweepIntervalMs).unref();
    return { tls, sniffer, h1, h2, sweeping };
  }

  #accept(socket: Socket): void {
    // For its whole life: whoever else listens stops to at some time, and a reset may come after that.
    socket.on('error', () => {});
    if (this.#destroyed || this.#parts === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
    });
    if (this.#parts.tls !== undefined) {
      this.#parts.tls.accept(socket);
      return;
    }
    this.#watchEnd(socket);
    this.#parts.sniffer.add(socket, performance.now());
  }

  /** From the end of our half on, the peer has a time to end its own. */
  #watchEnd(socket: Socket): void {
    socket.once('finish', () => this.#lingering.set(socket, performance.now()));
    socket.once('close', () => this.#lingering.delete(socket));
  }

  #sweepLingering(nowMs: number): void {
    for (const [socket, sinceMs] of this.#lingering) {
      if (nowMs - sinceMs < this.#options.limits.lingerTimeoutMs) {
        return; // the map is in order of time
      }
      socket.destroy();
    }
  }

  async #shut(): Promise<void> {
    // A start that failed has told its own caller and left nothing open.
    await this.#starting?.catch(() => {});
    const parts = this.#parts;
    if (parts === undefined) {
      return;
    }
    const closed = new Promise((resolve) => this.#tcp.close(resolve));
    // What had arrived by now is read, and counts as running rather than idle: between two turns the loop polls, which
    // it may be in the middle of.
    for (let turn = 0; turn < 2; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    parts.tls?.drain();
    parts.sniffer.drain();
    parts.h1.drain();
    parts.h2.drain();
    await closed;
    // The server counts a connection out before its socket says so; nothing shall be left when stop resolves.
    await Promise.all([...this.#sockets].map((socket) => once(socket, 'close')));
    release(parts);
  }
}

function release({ sweeping, h1 }: Parts): void {
  clearInterval(sweeping);
  h1.close();
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function reasonOf(cause: unknown): string {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'the port is taken by another process';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address';
    case 'ENOTFOUND':
      return 'the host name does not resolve';
    case 'EACCES':
      return 'this user may not use that port';
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
