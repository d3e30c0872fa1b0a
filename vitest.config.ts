import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { CountReporter } from './test/support/count-reporter.ts';

const minutes = 60_000;
const alone = 'test/real/virtual-machines.test.ts';
// A busy machine must not fail a test that only takes longer there.
const poll = { timeout: 30_000 };
const real = { pool: 'forks', testTimeout: 8 * minutes, hookTimeout: 8 * minutes, expect: { poll } } as const;

/**
 * These begin first: one that began last would keep everybody waiting. What mostly waits stands beside what mostly works.
 */
const longest = [
  'machine-images',
  'every-target',
  'databases',
  'crash',
  'swarm-faults',
  'strangers',
  'reproduce',
  'kinds',
  'env-up',
  'load-balancer',
  'secret-volumes',
  'swarm',
  'promote',
  'verification',
  'machines',
  'host-add',
  'fence',
  'rollback',
  'stop-first',
  'image-kinds',
  'evidence',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((name) => moduleId.endsWith(`/real/${name}.test.ts`));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', new CountReporter()],
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['real', 'crash', 'cosign', 'others', 'engines'].map((folder) => `test/${folder}/**`),
          pool: 'forks',
          // By default one core of two would rest.
          maxWorkers: '100%',
          testTimeout: minutes,
          hookTimeout: minutes,
          expect: { poll },
          sequence: { groupOrder: 0 },
        },
      },
      {
        // These start engines, registries and hosts, and wait for them much of their time: three at a time keep two cores
        // busy, after the fast ones.
        test: {
          ...real,
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          exclude: [alone],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Every boundary of every operation: hours, so it has a command of its own.
        test: {
          ...real,
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
      {
        // A program of others is built first: minutes, so it has a command of its own.
        test: { ...real, name: 'cosign', include: ['test/cosign/**/*.test.ts'], sequence: { groupOrder: 3 } },
      },
      {
        // Languages and test runners have to be there, which nothing else here needs.
        test: { ...real, name: 'others', include: ['test/others/**/*.test.ts'], sequence: { groupOrder: 3 } },
      },
      {
        // An engine is built first: minutes, so it has a command of its own.
        test: {
          ...real,
          name: 'engines',
          include: ['test/engines/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
      {
        // An emulated machine needs the computer for itself.
        test: { ...real, name: 'alone', include: [alone], maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
