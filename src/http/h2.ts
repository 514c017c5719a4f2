import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { LinkedList } from '../util/linked-list.ts';
import { admit, admitStream, refuseConnect, refuseExpectation } from './gate.ts';
import type { ProtocolOptions, ProtocolServer } from './types.ts';

/** The HTTP/2 half of the port. */
export interface H2 extends ProtocolServer {
  /** Ends what has outstayed a time-out; `nowMs` is of the monotonic clock. */
  sweep(nowMs: number): void;
}

interface Session {
  streams: LinkedList<OpenStream>;
  /** When the last stream closed, or the session began. */
  quietSinceMs: number;
  /** Whether the peer's first SETTINGS have arrived. */
  greeted: boolean;
  /** When the PING before its GOAWAY was sent, at a stop. */
  pingedMs?: number;
}

interface OpenStream {
  stream: ServerHttp2Stream;
  /** When it came, for as long as its body may still be on its way. */
  bodySinceMs: number | undefined;
  /** Since when there has always been something that the peer has not taken. */
  waitingSinceMs: number | undefined;
}

/** Makes it of Node's server with its compatibility API, fed with sockets, and the time-outs that it lacks. */
export function createH2(options: ProtocolOptions): H2 {
  const { hooks, limits } = options;
  const sessions = new Map<ServerHttp2Session, Session>();
  /** Streams whose session has gone before they were told of. */
  const stray = new LinkedList<OpenStream>();
  let latest: ServerHttp2Session | undefined;

  const server = createServer({
    settings: {
      maxConcurrentStreams: limits.maxConcurrentStreams,
      // What Node refuses by itself is seen by nobody: between once and twice the limit the gate answers, and counts.
      maxHeaderListSize: limits.maxHeaderBytes * 2,
    },
    maxHeaderListPairs: limits.maxHeaderCount * 2 + 4,
    maxSessionMemory: limits.maxSessionMemoryMb,
  });

  server.on('session', (session) => {
    const state: Session = {
      streams: new LinkedList(),
      quietSinceMs: performance.now(),
      greeted: false,
    };
    sessions.set(session, state);
    latest = session;
    session.once('remoteSettings', () => {
      state.greeted = true;
    });
    session.once('close', () => sessions.delete(session));
  });
  // Before the listeners below, which make Node add its own: the count must be right when they run.
  server.on('stream', (stream) => {
    const state = stream.session && sessions.get(stream.session as ServerHttp2Session);
    const streams = state?.streams ?? stray;
    const place = streams.add({
      stream,
      bodySinceMs: stream.endAfterHeaders ? undefined : performance.now(),
      waitingSinceMs: undefined,
    });
    stream.once('close', () => {
      streams.remove(place);
      if (state !== undefined) {
        state.quietSinceMs = performance.now();
      }
    });
    // A stream that its peer resets with an error code; the request tells its handler by `close`.
    stream.on('error', nothing);
  });
  server.on('request', (req, res) => admit(options, req, res));
  // Where nobody listens, Node goes on by itself, and throws where the stream has been reset meanwhile.
  server.on('checkContinue', (req, res) => {
    if (!req.stream.destroyed) {
      res.writeContinue();
    }
    admit(options, req, res);
  });
  offerFirst(server, options);
  server.on('checkExpectation', (_req, res) => refuseExpectation(options, res));
  server.on('connect', (_req, res) => refuseConnect(options, res));
  server.on('sessionError', (err: NodeJS.ErrnoException) => {
    // Anything else is the socket's: a peer that went away.
    if (err.code?.startsWith('ERR_HTTP2_')) {
      hooks.onRefused('malformed_request');
    }
  });

  const sweepSessions = (nowMs: number): void => {
    for (const [session, state] of sessions) {
      if (session.destroyed) {
        continue;
      }
      if (state.pingedMs !== undefined && nowMs - state.pingedMs >= limits.farewellTimeoutMs) {
        session.close();
      }
      if (state.streams.size > 0) {
        continue;
      }
      const quietMs = nowMs - state.quietSinceMs;
      if (session.closed) {
        // The GOAWAY cannot be sent where the peer does not read.
        if (quietMs >= limits.idleTimeoutMs + limits.lingerTimeoutMs) {
          session.destroy();
        }
      } else if (!state.greeted && quietMs >= limits.headersTimeoutMs) {
        hooks.onRefused('header_timeout');
        session.destroy();
      } else if (quietMs >= limits.idleTimeoutMs) {
        session.close();
      }
    }
  };

  const sweepBody = (open: OpenStream, nowMs: number): void => {
    const { stream, bodySinceMs } = open;
    if (bodySinceMs === undefined || nowMs - bodySinceMs < limits.requestTimeoutMs) {
      return;
    }
    if (stream.destroyed || stream.closed || hasArrived(stream)) {
      open.bodySinceMs = undefined;
    } else if (!stream.headersSent || stream.writableEnded) {
      open.bodySinceMs = undefined;
      hooks.onRefused('request_timeout');
      stream.close(constants.NGHTTP2_CANCEL);
    }
  };

  const sweepAnswer = (open: OpenStream, nowMs: number): void => {
    const { stream, waitingSinceMs } = open;
    const waits = !stream.destroyed && (stream.writableEnded || stream.writableLength > 0);
    if (!waits || waitingSinceMs === undefined) {
      open.waitingSinceMs = waits ? nowMs : undefined;
    } else if (nowMs - waitingSinceMs >= limits.answerTimeoutMs) {
      // Once: what is closed waits no more, though it may not be destroyed yet.
      open.waitingSinceMs = Number.POSITIVE_INFINITY;
      hooks.onRefused('answer_timeout');
      stream.close(constants.NGHTTP2_CANCEL);
    }
  };

  /** A peer that has closed its half sends no more: a body that is not whole will never be. */
  const sendsNoMore = (session: ServerHttp2Session): void => {
    const state = sessions.get(session);
    if (state === undefined) {
      return;
    }
    const broken = state.streams
      .values()
      .filter(({ stream, bodySinceMs }) => bodySinceMs !== undefined && !hasArrived(stream));
    if (broken.length === state.streams.size) {
      session.destroy();
      return;
    }
    for (const { stream } of broken) {
      stream.close(constants.NGHTTP2_CANCEL);
    }
    session.close();
  };

  return {
    accept(socket) {
      latest = undefined;
      // Makes the session, at once.
      server.emit('connection', socket);
      const session = latest as ServerHttp2Session | undefined;
      if (session !== undefined) {
        socket.once('end', () => sendsNoMore(session));
      }
    },
    sweep(nowMs) {
      sweepSessions(nowMs);
      for (const { streams } of [...sessions.values(), { streams: stray }]) {
        for (const open of streams.values()) {
          sweepBody(open, nowMs);
          sweepAnswer(open, nowMs);
        }
      }
    },
    drain() {
      // Node cannot send the GOAWAY that only announces another (RFC 9113, 6.8): after any, nghttp2 takes no stream.
      // What has arrived by the answer to a PING, at least, is taken; what crosses the GOAWAY is not begun.
      for (const [session, state] of sessions) {
        state.pingedMs = performance.now();
        if (session.destroyed || !session.ping(() => setImmediate(() => session.close()))) {
          session.close();
        }
      }
    },
  };
}

/** Offers each stream to onStream before the listener that Node has added for its `request` event sees it. */
function offerFirst(server: Pick<Http2Server, 'listeners' | 'off' | 'on'>, options: ProtocolOptions): void {
  if (options.hooks.onStream === undefined) {
    return;
  }
  const wrap = server.listeners('stream').at(-1) as (...args: unknown[]) => void;
  server.off('stream', wrap);
  server.on('stream', (stream, headers, flags, rawHeaders: string[]) => {
    if (!admitStream(options, stream, headers, rawHeaders)) {
      Reflect.apply(wrap, server, [stream, headers, flags, rawHeaders]);
    }
  });
}

// One for all: made for each stream, it would keep what the stream is held with.
const nothing = (): void => {};

/** Whether END_STREAM has been received, even where the handler has not read up to it. */
function hasArrived(stream: ServerHttp2Stream): boolean {
  const { state } = stream.state;
  return (
    stream.readableEnded ||
    state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE ||
    state === constants.NGHTTP2_STREAM_STATE_CLOSED
  );
}
