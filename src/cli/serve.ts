import { type App, createApp, StartError } from '../app.ts';
import { loadConfig, readEnvironment } from '../config.ts';
import { CommandError } from './command.ts';
import { leaveSignals } from './early-signals.ts';
import { printError } from './output.ts';

/** The time that a process has to end by itself when everything in it should have ended. */
const GRACE_MS = 750;

/**
 * Serves until SIGTERM or SIGINT; returns when the service is up. After a stop in order the process ends by itself,
 * which proves that nothing was left open; what ends in any other way, ends with exit code 1.
 */
export async function serve(): Promise<number> {
  const config = loadConfig(readEnvironment());
  const app = createApp(config);
  const running = new RunningService(app, config.server.stopTimeoutMs);
  process.on('SIGTERM', () => running.signal()).on('SIGINT', () => running.signal());
  leaveSignals();
  // Unhandled rejections come here too.
  process.on('uncaughtException', (error) => running.crash(error));
  try {
    await app.start();
    return 0;
  } catch (error) {
    running.endSoon(GRACE_MS);
    throw error instanceof StartError ? new CommandError(error.message, 1) : error;
  }
}

/** A service, as its process stops it. */
class RunningService {
  readonly #app: App;
  readonly #stopTimeoutMs: number;
  #state: 'running' | 'stopping' | 'stopped' = 'running';

  constructor(app: App, stopTimeoutMs: number) {
    this.#app = app;
    this.#stopTimeoutMs = stopTimeoutMs;
  }

  /** The first one stops, in order; the second one cuts off what still runs. */
  signal(): void {
    if (this.#state === 'running') {
      this.#stop();
    } else if (this.#state === 'stopping') {
      this.#app.kill();
      this.endSoon(GRACE_MS);
    }
  }

  /** An error that nobody caught: what it has left half-done is unknown, so nothing is carried on. */
  crash(error: unknown): void {
    process.exitCode = 1;
    this.#app.log.logger.error({ err: error }, 'an error that nobody caught; the service stops');
    if (this.#state === 'running') this.#stop();
  }

  #stop(): void {
    this.#state = 'stopping';
    this.endSoon(this.#stopTimeoutMs + GRACE_MS);
    this.#app.stop().then((inTime) => {
      this.#state = 'stopped';
      if (inTime) return;
      process.exitCode = 1;
      this.endSoon(GRACE_MS);
    });
  }

  /** The last resort: ends the process where it has not ended by itself. It does not keep it running. */
  endSoon(afterMs: number): void {
    const end = () => {
      const held = process.getActiveResourcesInfo();
      printError(`the process did not end by itself; it is ended with ${held.join(', ') || 'nothing'} open`);
      // process.exit waits for the thread pool, which may hang in the database or in a pipe that nobody reads.
      if (this.#state === 'stopped' && !held.includes('FSReqCallback')) process.exit(1);
      // As process 1 of a container it cannot kill itself.
      if (process.pid === 1) process.abort();
      process.kill(process.pid, 'SIGKILL');
    };
    setTimeout(end, afterMs).unref();
  }
}
