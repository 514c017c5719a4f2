import { createLogger, type Log } from '../../src/log.ts';

/** A log, and the lines that were written to it so far. */
export function capturedLog(level: 'debug' | 'info' = 'info'): {
  log: Log;
  lines: Record<string, unknown>[];
} {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  const log = createLogger({ level, pretty: 'off', serviceName: 'test', destination });
  return { log, lines };
}
