import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/http/limits.ts';
import { createListener, type Listener, type ListenerOptions } from '../../src/http/listener.ts';

/** Time-outs short enough to be waited for, and long enough not to fire in a test that is about something else. */
export const QUICK: Partial<ListenerLimits> = { sweepIntervalMs: 10, lingerTimeoutMs: 50 };

export interface Running {
  listener: Listener;
  port: number;
  refused: string[];
  errors: unknown[];
}

const opened: { destroy(): unknown }[] = [];
const listeners: Listener[] = [];

/** Starts a listener on a free port; {@link cleanUp} ends it. */
export async function run(
  onRequest: ListenerOptions['onRequest'],
  limits: Partial<ListenerLimits> = {},
  tls?: ListenerOptions['tls'],
): Promise<Running> {
  const refused: string[] = [];
  const errors: unknown[] = [];
  const listener = createListener({
    host: '127.0.0.1',
    port: 0,
    tls,
    limits: { ...DEFAULT_LISTENER_LIMITS, ...QUICK, ...limits },
    onRequest,
    onRefused: (reason) => refused.push(reason),
    onError: (err) => errors.push(err),
  });
  listeners.push(listener);
  const { port } = await listener.start();
  return { listener, port, refused, errors };
}

/** Ends what a test has opened; true if a listener still had connections after that. */
export async function cleanUp(): Promise<boolean> {
  for (const one of opened.splice(0)) {
    one.destroy();
  }
  const ended = listeners.splice(0);
  await Promise.all(
    ended.map((listener) => {
      listener.destroy();
      return listener.stop();
    }),
  );
  return ended.some((listener) => listener.connections() > 0);
}

/** A raw connection and all that it is sent. */
export class Raw {
  readonly socket: net.Socket;
  /** Everything received so far, as Latin-1. */
  received = '';
  /** Resolves when the connection is closed, with all that was received. */
  readonly closed: Promise<string>;

  constructor(port: number, allowHalfOpen = false) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve(this.received)));
    opened.push(this.socket);
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Writes one byte per turn of the loop. */
  async trickle(data: Buffer): Promise<void> {
    for (const byte of data) {
      this.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async until(text: string): Promise<string> {
    await waitFor(() => this.received.includes(text));
    return this.received;
  }
}

export function h2connect(port: number): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  opened.push(session);
  return session;
}

export interface Answer {
  status: number | undefined;
  headers: http.IncomingHttpHeaders;
  body: string;
  /** How the stream or connection broke, if it did. */
  error?: string;
}

export function h2get(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const answer: Answer = { status: undefined, headers: {}, body: '' };
    stream.on('response', (got) => {
      answer.status = got[':status'];
      answer.headers = got;
    });
    stream.on('data', (chunk) => {
      answer.body += chunk;
    });
    stream.on('error', (err) => {
      answer.error = err.message;
    });
    stream.on('close', () => resolve(answer));
    if (body !== undefined) {
      stream.end(body);
    }
  });
}

export function h1get(port: number, options: http.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = http.request({ port, host: '127.0.0.1', ...options }, (res) => {
      let body = '';
      res.on('data', (chunk) => {
        body += chunk;
      });
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body }));
    });
    req.on('error', reject);
    req.end();
  });
}

export async function waitFor(condition: () => boolean, timeoutMs = 3000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${condition}`);
    }
    await sleep(5);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
