import { closeSync, openSync, write as writeFd, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DestinationStream } from 'pino';
import type { Format } from './pretty.ts';

const writeInBackground = promisify(writeFd);

/** Bounds each wait for the destination, which may be a pipe that nobody reads. */
const FLUSH_LIMIT_MS = 1000;
const RETRY_MS = 100;
/** How long a line stays in the buffer of a quiet service. */
const FLUSH_AFTER_MS = 500;
const MIN_WRITE_CHARACTERS = 64 * 1024;
/** What waits at most for a slow reader; lines beyond it are dropped and counted. */
const MAX_WAITING_CHARACTERS = 8 * 1024 * 1024;

/** Where lines go. */
export interface Sink extends DestinationStream {
  /** pino calls these two as well: the one with a callback, the other after a fatal line. */
  flush(done?: () => void): Promise<void>;
  flushSync(): void;
  close(): Promise<void>;
}

/** Writes each line to a stream at once. */
export function streamSink(stream: DestinationStream, format: Format): Sink {
  const write = (line: string) => stream.write(format(line));
  return { write, flushSync() {}, flush: async (done) => done?.(), close: async () => {} };
}

/**
 * Buffers lines and writes them to a file descriptor or a file in the background; what is left when the process exits is written then.
 *
 * Not pino's own buffered destination (sonic-boom 4): on an error other than EAGAIN, such as a full disk or a
 * reader that went away, its flushSync retries for ever, so that a process which is told to exit does not.
 */
export function fileSink(target: number | string, format: Format, service: string): Sink {
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
