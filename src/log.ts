/** The log: JSON lines through pino, buffered and written in the background, without secrets. */

import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { clean } from './log/clean.ts';
import { escapeControls, findPretty, type PrettyModule } from './log/pretty.ts';
import { fileSink, streamSink } from './log/sink.ts';

export type { Logger } from 'pino';

const require = createRequire(import.meta.url);

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
      timestamp: isoTime,
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

let lastMs = -1;
let lastTime = '';

/** pino's own `isoTime`, made once a millisecond: a busy service logs many lines in one. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastTime = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return lastTime;
}
