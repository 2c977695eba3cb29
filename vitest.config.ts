import { defineConfig } from 'vitest/config';

/** Tests that start threads or programs. */
const WHOLE = ['test/hosts/**/*.test.ts', 'test/e2e/command-line.test.ts'];

// Two groups, one after the other. Most tests touch nothing outside their own values, so they share
// module instances and both cores. Those that start threads or programs need the cores themselves.
export default defineConfig({
  test: {
    pool: 'threads',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'models',
          include: ['test/**/*.test.ts'],
          exclude: WHOLE,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'whole',
          include: WHOLE,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
