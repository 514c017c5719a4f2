import { createApp } from './app.ts';
import { ConfigError, loadConfig, readEnvironment } from './config.ts';
import { DatabaseStartError } from './db/errors.ts';

/** Serves until SIGTERM or SIGINT. Exit code 0 after a clean stop, 1 where the start failed or the stop was cut off. */
export async function serve(): Promise<void> {
  const app = createApp(loadConfig(readEnvironment()));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
  let signals = 0;
  function onSignal(): void {
    signals += 1;
    if (signals > 1) app.kill();
    else app.stop().then((inTime) => end(inTime ? 0 : 1));
  }
  await app.start();
}

/** Lets the process end by itself, which proves that nothing was left open; says so where something was. */
function end(exitCode: number): void {
  process.exitCode = exitCode;
  process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT');
}

/** Tells a person why the start failed, and ends the process with 1. */
export function fail(error: unknown): void {
  const expected = error instanceof ConfigError || error instanceof DatabaseStartError;
  process.stderr.write(
    `${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exitCode = 1;
}

if (import.meta.main) serve().catch(fail);
