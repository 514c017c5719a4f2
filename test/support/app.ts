import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type App, type AppOverrides, createApp } from '../../src/app.ts';
import { type Environment, loadConfig } from '../../src/config.ts';
import { laneOfProject } from './lane.ts';
import { urlOf } from './place.ts';
import { temporaryFolder } from './temporary.ts';

/** A service in this process, on a free port and a file of its own. */
export interface RunningApp {
  readonly app: App;
  readonly port: number;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** The SQLite file, or the URL of the database that it was started on. */
  readonly file: string;
}

/** Starts what ships, in this process; it stops when the test has finished. */
export async function startApp(env: Environment = {}, overrides: AppOverrides = {}): Promise<RunningApp> {
  const file = join(await temporaryFolder(), 'sequence.db');
  return await startAppOn(file, env, overrides);
}

/** As {@link startApp}, on a file that is there already, or on the database of a URL. */
export async function startAppOn(
  file: string,
  env: Environment = {},
  overrides: AppOverrides = {},
): Promise<RunningApp> {
  const config = loadConfig({
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: urlOf(file),
    ...laneOfProject(),
    ...env,
  });
  const app = createApp(config, overrides);
  onTestFinished(async () => {
    await app.stop();
  });
  const { port } = await app.start();
  return { app, port, url: `http://127.0.0.1:${port}`, file };
}
