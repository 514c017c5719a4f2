import type { Socket } from 'node:net';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What the first bytes of a connection say. */
export type Protocol = 'h1' | 'h2';

/**
 * Which protocol a connection that begins with these bytes speaks; undefined while they are a part of the HTTP/2
 * preface. `POST` and `PRI` differ in their second byte at the latest; a request line that is not HTTP/1.1 either is
 * for the HTTP/1.1 parser to refuse.
 */
export function protocolOf(first: Buffer): Protocol | undefined {
  const length = Math.min(first.length, PREFACE.length);
  if (first.compare(PREFACE, 0, length, 0, length) !== 0) {
    return 'h1';
  }
  return length === PREFACE.length ? 'h2' : undefined;
}

/** Holds connections until their first bytes have told the protocol, or their time is up. */
export class Sniffer {
  readonly #waiting = new Map<Socket, number>();
  readonly #firstByteTimeoutMs: number;
  readonly #decided: (socket: Socket, protocol: Protocol) => void;
  readonly #timedOut: () => void;

  /**
   * @param firstByteTimeoutMs how long a connection may wait here
   * @param decided called once for a connection, its bytes put back, paused
   * @param timedOut called when a connection was closed because its time was up
   */
  constructor(
    firstByteTimeoutMs: number,
    decided: (socket: Socket, protocol: Protocol) => void,
    timedOut: () => void,
  ) {
    this.#firstByteTimeoutMs = firstByteTimeoutMs;
    this.#decided = decided;
    this.#timedOut = timedOut;
  }

  /** Starts to look at a new connection. The caller listens to its `error`. */
  add(socket: Socket, nowMs: number): void {
    this.#waiting.set(socket, nowMs);
    let seen: Buffer = Buffer.alloc(0);
    const leave = () => {
      this.#waiting.delete(socket);
      socket.off('data', onData).off('end', onEnd).off('close', leave);
    };
    const onData = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const protocol = protocolOf(seen);
      if (protocol !== undefined) {
        // Paused first: a flowing socket without a listener would drop what is put back.
        socket.pause();
        leave();
        socket.unshift(seen);
        this.#decided(socket, protocol);
      }
    };
    const onEnd = () => {
      leave();
      socket.end();
    };
    socket.on('data', onData).on('end', onEnd).on('close', leave);
  }

  /** Closes the connections whose time is up. */
  sweep(nowMs: number): void {
    for (const [socket, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs < this.#firstByteTimeoutMs) {
        return; // the map is in order of arrival
      }
      this.#timedOut();
      socket.destroy();
      this.#waiting.delete(socket);
    }
  }

  /** Closes every connection that has not said enough yet. */
  drain(): void {
    for (const socket of [...this.#waiting.keys()]) {
      socket.destroy();
    }
  }
}
