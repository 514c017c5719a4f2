import { defineConfig } from 'vitest/config';

/** What goes through RPCs: it is run a second time, with the lane the other way than the default. */
const THROUGH_RPCS = ['test/rpc/**/*.test.ts', 'test/process/**/*.test.ts', 'test/client/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default'],
    projects: [
      { extends: true, test: { name: 'service', include: ['test/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'lane off',
          include: THROUGH_RPCS,
          // Those start both ways by themselves.
          exclude: ['test/rpc/lane/**'],
          env: { TEST_LANE: 'off' },
        },
      },
    ],
  },
});
