import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { admit, refuseExpectation } from './gate.ts';
import type { ProtocolOptions, ProtocolServer, RefusedReason } from './types.ts';

/** The HTTP/1.1 half of the port. */
export interface H1 extends ProtocolServer {
  /** Ends what has outstayed the time-out that Node lacks; `nowMs` is of the monotonic clock. */
  sweep(nowMs: number): void;
  /** Ends the checking of time-outs; to be called once all sockets are closed. */
  close(): void;
}

interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  /** Since when there has always been something that the peer has not taken. */
  waitingSinceMs?: number | undefined;
}

interface Connection {
  socket: Socket;
  /** Requests handed out and not yet answered, in order: more than one when the client pipelines. */
  running: Exchange[];
  /** The status to close with, once what runs has been answered. */
  failed: number | undefined;
  /** The bytes read when the last answer was out: no more since then, no request has begun. */
  idleAtBytes: number | undefined;
  /** A request that was answered before all of it had come. */
  unread: IncomingMessage | undefined;
}

/** Makes it of Node's server, fed with sockets, with its time-outs on and its refusals counted. */
export function createH1(options: ProtocolOptions): H1 {
  const { hooks, limits } = options;
  const connections = new Map<Duplex, Connection>();
  let draining = false;

  const server = createServer({
    noDelay: true,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    keepAliveTimeoutBuffer: 0,
    connectionsCheckingInterval: limits.sweepIntervalMs,
    // Node would answer a missing Host by itself, uncounted.
    requireHostHeader: false,
  });
  // Beyond it Node drops fields in silence; with one more than allowed the gate sees that there were too many.
  server.maxHeadersCount = limits.maxHeaderCount + 1;
  // Node starts to check headersTimeout and requestTimeout when the server listens, which this one never does.
  server.emit('listening');

  const track = (req: IncomingMessage, res: ServerResponse): void => {
    const connection = connections.get(req.socket);
    if (connection === undefined) {
      return;
    }
    connection.running.push({ req, res });
    if (draining) {
      announceClose(connection);
    }
    res.once('close', () => {
      const { running } = connection;
      if (running.length === 1 && running[0]!.res === res) running.length = 0;
      else connection.running = running.filter((exchange) => exchange.res !== res);
      if (connection.running.length === 0) {
        connection.idleAtBytes = connection.socket.bytesRead;
        connection.unread = req.complete ? undefined : req;
      }
      if (connection.failed !== undefined) {
        closeFailed(connection);
      } else if (draining) {
        closeIfIdle(connection);
      }
    });
  };

  const fail = (connection: Connection, status: number, reason: RefusedReason): void => {
    if (connection.failed === undefined) {
      hooks.onRefused(reason);
      connection.failed = status;
      closeFailed(connection);
    }
  };

  server.on('request', (req, res) => {
    track(req, res);
    admit(options, req, res);
  });
  server.on('checkExpectation', (req, res) => {
    track(req, res);
    refuseExpectation(options, res);
  });
  server.on('connect', (_req, socket) => {
    const connection = connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
    } else {
      fail(connection, 501, 'unsupported_request');
    }
  });
  server.on('clientError', (err: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket);
    if (connection === undefined || !isProtocolError(err)) {
      socket.destroy();
      return;
    }
    const broken = connection.running.at(-1)?.req.complete === false;
    fail(connection, ...verdictOn(err, broken));
  });

  return {
    accept(socket) {
      connections.set(socket, {
        socket,
        running: [],
        failed: undefined,
        idleAtBytes: undefined,
        unread: undefined,
      });
      socket.once('close', () => connections.delete(socket));
      server.emit('connection', socket);
      socket.resume();
    },
    sweep(nowMs) {
      for (const { socket, running } of connections.values()) {
        const first = running[0];
        if (first === undefined) {
          continue;
        }
        const waits = first.res.writableEnded || first.res.writableLength > 0;
        first.waitingSinceMs = waits ? (first.waitingSinceMs ?? nowMs) : undefined;
        if (first.waitingSinceMs !== undefined && nowMs - first.waitingSinceMs >= limits.answerTimeoutMs) {
          hooks.onRefused('answer_timeout');
          socket.destroy();
        }
      }
    },
    drain() {
      draining = true;
      for (const connection of connections.values()) {
        announceClose(connection);
        closeIfIdle(connection);
      }
    },
    close() {
      // Stops the connection checking; that it never listened is no news.
      server.close(() => {});
    },
  };
}

/** Puts `connection: close` on the newest answer only: on an earlier one it would drop those behind it. */
function announceClose(connection: Connection): void {
  connection.running.forEach(({ res }, i) => {
    if (res.headersSent) {
      return;
    }
    if (i === connection.running.length - 1) {
      res.setHeader('connection', 'close');
    } else {
      res.removeHeader('connection');
    }
  });
}

// Not closeIdleConnections(): it destroys a connection whose answer has been written but is not yet on the wire.
function closeIfIdle({ socket, running, idleAtBytes, unread }: Connection): void {
  // The rest of a body whose answer is out is no request that has begun.
  const isIdle = idleAtBytes === socket.bytesRead || unread?.complete === false;
  if (running.length === 0 && isIdle && !socket.destroyed) {
    socket.destroySoon();
  }
}

/**
 * Answers what broke the connection, but only after the whole requests before it: an error in place of their answers
 * would say that nothing was written when something was.
 */
function closeFailed({ socket, running, failed }: Connection): void {
  const waiting = running[0];
  if (socket.destroyed || waiting?.req.complete === true) {
    return;
  }
  if (waiting?.res.headersSent === true || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 ${failed} ${STATUS_CODES[failed!] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  // Not destroyed before the peer closes or lingerTimeoutMs is over: a reset would discard the answer unread.
}

function isProtocolError(err: NodeJS.ErrnoException): boolean {
  // A peer that went away in the middle is no fault of its bytes.
  if (err.code === 'HPE_INVALID_EOF_STATE') {
    return false;
  }
  return err.code !== undefined && (err.code.startsWith('HPE_') || err.code === 'ERR_HTTP_REQUEST_TIMEOUT');
}

function verdictOn(err: NodeJS.ErrnoException, inBody: boolean): [status: number, reason: RefusedReason] {
  switch (err.code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'header_too_large'];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return [413, 'malformed_request'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, inBody ? 'request_timeout' : 'header_timeout'];
    default:
      return [400, 'malformed_request'];
  }
}
