import { defineConfig } from 'vitest/config';

// Suites of what talks to the database run on both engines; the rest once. Below them, files that never open one.
const ON_BOTH = ['test/{db,domain,sync}/**/*.test.ts'];
const WITHOUT_A_DATABASE = [
  'test/db/errors.test.ts',
  'test/domain/{page-token,request-hash,write-queue}.test.ts',
  'test/sync/{breaker,document,memory,targets,wakeable}.test.ts',
];
/** What goes through RPCs: it is run a second time, with the lane the other way than the default. */
const THROUGH_RPCS = [
  'test/{rpc,process,client}/**/*.test.ts',
  // test/auth/attempts.test.ts starts both ways by itself.
  'test/auth/{jwt,certificates}.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'sqlite',
          include: ['test/**/*.test.ts'],
          exclude: ['test/postgres/**'],
          provide: { engine: 'sqlite' },
        },
      },
      {
        extends: true,
        test: {
          name: 'lane off',
          include: THROUGH_RPCS,
          // Those start both ways by themselves.
          exclude: ['test/rpc/lane/**'],
          env: { TEST_LANE: 'off' },
          provide: { engine: 'sqlite' },
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: [...ON_BOTH, 'test/postgres/**/*.test.ts'],
          exclude: WITHOUT_A_DATABASE,
          globalSetup: ['test/support/postgres/global.ts'],
          provide: { engine: 'postgres' },
        },
      },
    ],
  },
});
