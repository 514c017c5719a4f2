/** The log: JSON lines through pino, buffered and written in the background, without secrets. */

import { closeSync, openSync, write as writeFd, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const require = createRequire(import.meta.url);
const writeInBackground = promisify(writeFd);

/** Bounds each wait for the destination, which may be a pipe that nobody reads. */
const FLUSH_LIMIT_MS = 1000;
const RETRY_MS = 100;
/** How long a line stays in the buffer of a quiet service. */
const FLUSH_AFTER_MS = 500;
const MIN_WRITE_CHARACTERS = 4096;
/** What waits at most for a slow reader; lines beyond it are dropped and counted. */
const MAX_WAITING_CHARACTERS = 8 * 1024 * 1024;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_STACK_CHARACTERS = 16 * 1024;
const SECRET_KEY =
  /(authorization|cookies?|passw(or)?d|passphrase|secrets?|tokens?|apikeys?|secretkey|privatekey|credentials?)$/;

type Format = (line: unknown) => string;
type PrettyModule = { prettyFactory(options: object): Format };

export interface LogOptions {
  readonly level: LevelWithSilent;
  /** `auto`: when the destination is a terminal. */
  readonly pretty: 'auto' | 'on' | 'off';
  /** Stands in every line, as `service`. */
  readonly serviceName: string;
  /** A file descriptor, a file's path, or a stream that is written to at once; standard output by default. */
  readonly destination?: number | string | DestinationStream;
  /** Finds pino-pretty, a development dependency; throws when it is not installed. */
  readonly loadPretty?: () => PrettyModule;
}

export interface Log {
  readonly logger: Logger;
  /** Resolves when the lines so far are written, or after a second. Never rejects. */
  flush(): Promise<void>;
  /** Flushes; later lines are written at once, or to nowhere if the destination was a path. Idempotent; never rejects. */
  close(): Promise<void>;
}

interface Sink extends DestinationStream {
  /** pino calls these two as well: the one with a callback, the other after a fatal line. */
  flush(done?: () => void): Promise<void>;
  flushSync(): void;
  close(): Promise<void>;
}

/**
 * A logger whose lines carry ISO time, the level as a word and the service's name. Values under keys that name secrets
 * are redacted at any depth; errors keep type, message, stack, code and cause, and nothing else (a driver's error
 * carries the parameters of its statement). Lines appear within a second, and none is lost at a normal exit.
 */
export function createLogger(options: LogOptions): Log {
  const { level, pretty, serviceName, destination = 1, loadPretty = () => require('pino-pretty') } = options;
  const terminal = typeof destination === 'number' && isatty(destination);
  const wanted = pretty === 'on' || (pretty === 'auto' && terminal);
  const prettify = wanted ? findPretty(loadPretty, terminal) : undefined;
  const format = prettify ?? escapeControls;
  const sink =
    typeof destination === 'object'
      ? streamSink(destination, format)
      : fileSink(destination, format, serviceName);

  const logger = pino(
    {
      level,
      base: { service: serviceName },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (word) => ({ level: word }), log: (fields) => clean(fields) as typeof fields },
      // `clean` has been there; pino's own would take its result for an error and rewrite it.
      serializers: { err: (value) => value },
    },
    sink,
  );
  // pino applies formatters to a line's own fields, not to the bindings of a child.
  const child = logger.child;
  logger.child = function (this: Logger, bindings: pino.Bindings, childOptions?: object) {
    return Reflect.apply(child, this, [clean(bindings), childOptions]);
  } as typeof logger.child;

  if (wanted && prettify === undefined) logger.warn('pino-pretty is not installed: the log is JSON');
  return { logger, flush: () => sink.flush(), close: () => sink.close() };
}

function streamSink(stream: DestinationStream, format: Format): Sink {
  const write = (line: string) => stream.write(format(line));
  return { write, flushSync() {}, flush: async (done) => done?.(), close: async () => {} };
}

// Not pino's own buffered destination (sonic-boom 4): on an error other than EAGAIN, such as a full disk or a reader
// that went away, its flushSync retries for ever, so that a process which is told to exit does not.
function fileSink(target: number | string, format: Format, service: string): Sink {
  const fd = typeof target === 'string' ? openSync(target, 'a') : target;
  let waiting: string[] = [];
  let size = 0;
  /** The lines that are being written, as far as they are not; in a system call while `inFlight`. */
  let rest = Buffer.alloc(0);
  let inFlight = false;
  let lost = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  function write(line: string): void {
    const text = format(line);
    if (closed && typeof target === 'string') return;
    if (size + text.length > MAX_WAITING_CHARACTERS) {
      lost++;
      return;
    }
    waiting.push(text);
    size += text.length;
    if (closed) flushSync();
    else if (size >= MIN_WRITE_CHARACTERS) pump();
    else timer ??= setTimeout(pump, FLUSH_AFTER_MS).unref();
  }

  function pump(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeWaiting().finally(() => {
      writing = undefined;
      if (size > 0 && !closed) timer ??= setTimeout(pump, FLUSH_AFTER_MS).unref();
    });
    return writing;
  }

  async function writeWaiting(): Promise<void> {
    do {
      const lines = waiting.length;
      rest = take();
      try {
        while (rest.length > 0) await writeSome();
        if (lost > 0) reportLost();
      } catch {
        // A log that cannot be written must not end the service; what became of it is told when it can be again.
        lost += lines;
      }
    } while (size >= MIN_WRITE_CHARACTERS);
  }

  async function writeSome(): Promise<void> {
    inFlight = true;
    try {
      const { bytesWritten } = await writeInBackground(fd, rest);
      inFlight = false;
      rest = rest.subarray(bytesWritten);
    } catch (error) {
      inFlight = false;
      if (closed || !isFull(error)) throw error;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  }

  function flushSync(): void {
    const limit = Date.now() + FLUSH_LIMIT_MS;
    let left = inFlight ? take() : Buffer.concat([rest, take()]);
    if (!inFlight) rest = Buffer.alloc(0);
    while (left.length > 0) {
      try {
        left = left.subarray(writeSync(fd, left));
      } catch (error) {
        if (!isFull(error) || Date.now() > limit) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  function take(): Buffer<ArrayBuffer> {
    const lines = Buffer.from(waiting.join(''));
    waiting = [];
    size = 0;
    return lines;
  }

  function reportLost(): void {
    const time = new Date().toISOString();
    const record = { level: 'warn', time, service, lines: lost, msg: 'log lines were lost' };
    lost = 0;
    write(`${JSON.stringify(record)}\n`);
  }

  async function flush(): Promise<void> {
    const limit = new AbortController();
    const everything = async () => {
      while (writing !== undefined || size > 0) await pump();
    };
    await Promise.race([everything(), sleep(FLUSH_LIMIT_MS, undefined, { signal: limit.signal })]);
    limit.abort();
  }

  async function end(): Promise<void> {
    await flush();
    closed = true;
    clearTimeout(timer);
    process.off('exit', flushSync);
    if (typeof target === 'string' && writing === undefined) closeSync(fd);
  }

  process.on('exit', flushSync);
  return {
    write,
    flushSync,
    flush: (done) => flush().then(done),
    close: () => (closing ??= end()),
  };
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY');
}

function findPretty(load: () => PrettyModule, terminal: boolean): Format | undefined {
  try {
    const colorize = terminal && process.stdout.hasColors?.() === true;
    const print = load().prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss.l', ignore: 'service' });
    return (line) => print(JSON.parse(String(line), visible));
  } catch {
    return undefined;
  }
}

/** A JSON reviver that shows control characters as JSON does, so that no text can steer a terminal or forge a line. */
function visible(key: string, value: unknown): unknown {
  if (typeof value === 'string') return key === 'stack' ? escapeControls(value) : onOneLine(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [onOneLine(name), inner]));
}

function onOneLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n');
}

/** All but the line feed. JSON itself leaves DEL, C1 and the separators as they are; some terminals obey them. */
function escapeControls(text: unknown): string {
  return String(text).replace(
    /[^\P{Cc}\n]|[\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A copy without secrets, with errors reduced, bounded in depth and width. */
function clean(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Error) return cleanError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1));
  if ('toJSON' in value) return value;
  const secret = (key: string) => SECRET_KEY.test(key.replace(/[-_]/g, '').toLowerCase());
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(
    entries.map(([key, inner]) => [key, secret(key) ? '[redacted]' : clean(inner, depth + 1)]),
  );
}

function cleanError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return {
    type: name === 'Error' ? error.constructor.name : name,
    message: String(message).slice(0, MAX_STACK_CHARACTERS),
    stack: stack?.slice(0, MAX_STACK_CHARACTERS),
    ...('code' in error && { code: error.code }),
    ...(cause !== undefined && { cause: clean(cause, depth + 1) }),
    ...(error instanceof AggregateError && { errors: clean(error.errors, depth + 1) }),
  };
}
