import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { type AppOverrides, createApp } from '../../src/app.ts';
import { type Environment, loadConfig } from '../../src/config.ts';
import { verifyDatabase } from '../../src/db/database.ts';
import type { RunningApp } from './app.ts';
import { laneOfProject } from './lane.ts';
import { placeOf } from './place.ts';
import { hangUp } from './wire.ts';

/**
 * As startApp, but one service for every test of a file (or describe), for tables of many small tests. At the end
 * it stops in time, and `verify` finds nothing in its database.
 *
 * @returns a function that gives it, once the tests run
 */
export function sharedApp(env: Environment = {}, overrides: AppOverrides = {}): () => RunningApp {
  let running: RunningApp | undefined;
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sequence-'));
    const file = join(folder, 'sequence.db');
    const config = loadConfig({
      PORT: '0',
      LOG_LEVEL: 'silent',
      DATABASE_URL: `sqlite:///${file}`,
      ...laneOfProject(),
      ...env,
    });
    const app = createApp(config, overrides);
    const { port } = await app.start();
    running = { app, port, url: `http://127.0.0.1:${port}`, file };
    return async () => {
      hangUp(running!.url);
      expect(await app.stop()).toBe(true);
      expect((await verifyDatabase(placeOf(file))).violations).toEqual([]);
      await rm(folder, { recursive: true, force: true });
    };
  });
  return () => running!;
}
