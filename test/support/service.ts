import { join } from 'node:path';
import { expect } from 'vitest';
import { type SourceOptions, type SourceProcess, startSource } from './command.ts';
import { temporaryFolder } from './temporary.ts';
import { until } from './until.ts';

/** Long, since a machine that runs many tests may start several at a time. */
const START_LIMIT_MS = 25_000;

/** The service in a process of its own, that serves. */
export interface Service extends SourceProcess {
  readonly port: number;
  readonly url: string;
  /** The SQLite file, or the URL of another database. */
  readonly file: string;
  log(): Record<string, unknown>[];
}

/** Starts `src/main.ts` on a free port, and on a database of its own where the environment names none. */
export async function startService(options: SourceOptions = {}): Promise<Service> {
  const process = await startMain(options);
  const { port } = await until(
    'the service serves',
    () => {
      // Its output tells why, when the expectation fails.
      expect(process.child).toMatchObject({ exitCode: null, signalCode: null });
      return linesOf(process.stdout()).find(({ msg }) => msg === 'serving');
    },
    START_LIMIT_MS,
  );
  return {
    ...process,
    port: Number(port),
    url: `http://127.0.0.1:${port}`,
    log: () => linesOf(process.stdout()),
  };
}

/** As {@link startService}, but does not wait. */
export async function startMain(options: SourceOptions = {}): Promise<SourceProcess & { file: string }> {
  const file = join(await temporaryFolder(), 'sequence.db');
  const env = { PORT: '0', DATABASE_URL: `sqlite:///${file}`, ...options.env };
  const started = await startSource('main.ts', { ...options, env });
  return { ...started, file: env.DATABASE_URL.replace(/^sqlite:\/\/\//, '') };
}

/** The whole lines of a JSON log, parsed. */
export function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The messages of a JSON log. */
export function messagesOf(text: string): unknown[] {
  return linesOf(text).map(({ msg }) => msg);
}
