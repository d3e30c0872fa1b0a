import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

const minutes = 60_000;
const alone = 'test/real/virtual-machines.test.ts';
const real = { pool: 'forks', testTimeout: 3 * minutes, hookTimeout: 3 * minutes } as const;

export default defineConfig({
  test: {
    reporters: ['default', new CountReporter()],
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/real/**'],
          pool: 'forks',
          // A busy machine must not fail a test that only takes longer there.
          testTimeout: minutes,
          hookTimeout: minutes,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // These start engines, registries and hosts, and wait for them much of their time: two at a time, after the fast ones.
        test: {
          ...real,
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          exclude: [alone],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // An emulated machine needs the computer for itself.
        test: { ...real, name: 'alone', include: [alone], maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
