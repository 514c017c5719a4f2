import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

/** What a server shows of itself, and whose clients it knows; PEM. */
export interface TlsMaterial {
  /** The certificate and the chain behind it. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates; undefined: clients are not asked for one. */
  readonly clientCa: string | undefined;
}

/** What a {@link TlsFront} tells. */
export interface TlsHooks {
  /** The handshake is over. A client certificate, where there is one, has been verified. */
  onSecure(socket: TLSSocket): void;
  /** There was no handshake: not TLS, nothing in common, a certificate that is not accepted, too slow. */
  onRefused(): void;
}

/** Puts TLS between accepted connections and whoever reads them. It never listens itself. */
export interface TlsFront {
  /** Begins the handshake. */
  accept(socket: Socket): void;
  /** New connections get this from now on; those that are open stay. @throws Error where it cannot be used */
  renew(material: TlsMaterial): void;
  /** Closes what has not finished its handshake. */
  drain(): void;
}

/**
 * @param handshakeTimeoutMs how long a handshake may take
 * @throws Error where the material cannot be used: no PEM, or a key that is not the certificate's
 */
export function createTlsFront(material: TlsMaterial, handshakeTimeoutMs: number, hooks: TlsHooks): TlsFront {
  /** Connections in their handshake, by the peer's address: the server does not tell whose a secured socket is. */
  const shaking = new Map<string, Socket>();
  const server = createServer({
    ...contextOf(material),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: handshakeTimeoutMs,
    requestCert: material.clientCa !== undefined,
    // Node would also turn away who shows none; who shows one that is not accepted is turned away below.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => {
    shaking.delete(peerName(socket));
    if (!socket.authorized && showsCertificate(socket)) {
      hooks.onRefused();
      socket.destroy();
      return;
    }
    hooks.onSecure(socket);
  });
  server.on('tlsClientError', (_error, socket) => {
    hooks.onRefused();
    socket.destroy();
  });

  return {
    accept(socket) {
      const name = peerName(socket);
      shaking.set(name, socket);
      socket.once('close', () => {
        if (shaking.get(name) === socket) shaking.delete(name);
      });
      server.emit('connection', socket);
    },
    renew(next) {
      server.setSecureContext(contextOf(next));
    },
    drain() {
      for (const socket of shaking.values()) socket.destroy();
    },
  };
}

function contextOf({ cert, key, clientCa }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(clientCa !== undefined && { ca: clientCa }) };
}

function peerName({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function showsCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}
