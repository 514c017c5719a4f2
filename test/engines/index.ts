import { inject } from 'vitest';
import { postgres } from './postgres.ts';
import { sqlite } from './sqlite.ts';

/** The engine of this run: every suite below test/db, test/domain and test/sync runs once on each. */
export const ENGINE = { sqlite, postgres }[inject('engine')];

/** What it can do; a test that skips names one of these. */
export const { capabilities } = ENGINE.engine;

declare module 'vitest' {
  interface ProvidedContext {
    /** Set by vitest.config.ts, one project for each. */
    engine: 'sqlite' | 'postgres';
    /** The DATABASE_URL of a PostgreSQL that may create databases. */
    postgresUrl: string;
  }
}
