import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from '../support/pipeline-fixture.ts';

/** One operation of the matrix, in the situation in which it is cut short. */
export interface Deed {
  /** `prod` by default, which is on two hosts; `mesh` is a swarm of one */
  readonly environment?: string;
  /** Brings the environment into that situation, whatever the deed before has left. */
  prepare(project: TestProject): Promise<unknown>;
  readonly words: readonly string[];
  /** versions that visitors may meet meanwhile; none: nobody is served, before or after */
  readonly serves: readonly string[];
  /** what serves at the end; absent: nothing */
  readonly end?: string;
  /** edges are replaced, whose ports are closed for a moment */
  readonly interrupts?: true;
}

const promote = (version: string) => ['promote', version, '--to', 'prod', '--yes'];
const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '20s' } };

/** Brings prod to `second`, with `first` as its standby. */
async function stand(project: TestProject, first = '1.0.0', second = '1.1.0'): Promise<void> {
  await project.configure({ roles: { web } });
  await project.run('host', 'uncordon', 'prod-2', '--env', 'prod', '--yes', '--json');
  await project.run('resume', 'prod', '--json');
  for (const version of [first, second]) await project.succeed('promote', version, '--to', 'prod');
}

/** Brings prod to where nothing is. */
async function nothing(project: TestProject): Promise<void> {
  await project.configure({ roles: { web } });
  await project.succeed('destroy', 'prod');
}

let releases = 0;
let scalings = 0;

/** All operations on hosts, each with where it begins and where it ends. */
export const deeds: Readonly<Record<string, Deed>> = {
  'a first promotion': { prepare: nothing, words: promote('1.0.0'), serves: [], end: '1.0.0' },
  'a promotion': {
    prepare: (project) => stand(project),
    words: promote('1.2.0'),
    serves: ['1.1.0', '1.2.0'],
    end: '1.2.0',
  },
  'a rollback to a standby': {
    prepare: (project) => stand(project),
    words: ['rollback', 'prod', '--to', '1.0.0', '--yes'],
    serves: ['1.1.0', '1.0.0'],
    end: '1.0.0',
  },
  'a rollback that makes its containers again': {
    prepare: async (project) => {
      await stand(project);
      for (const { name } of project.hosts('prod')) {
        const labels = { 'lockage.release': '1.0.0' };
        for (const { Id } of await project.engine(name).listContainers({ all: true, labels }))
          await project.engine(name).removeContainer(Id, { force: true });
      }
    },
    words: ['rollback', 'prod', '--to', '1.0.0', '--yes'],
    serves: ['1.1.0', '1.0.0'],
    end: '1.0.0',
  },
  'a drill of a rollback': {
    prepare: (project) => stand(project),
    words: ['rollback', 'prod', '--drill'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'a change of the foundation': {
    prepare: async (project) => {
      await stand(project);
      await project.configure({ roles: { web, admin: { ...web, publish: 8100 } } });
    },
    words: promote('1.1.0'),
    serves: ['1.1.0'],
    end: '1.1.0',
    interrupts: true,
  },
  'a promotion that ends an accessory': {
    prepare: async (project) => {
      await stand(project);
      const cache = { image: `${project.lab.registry}/lockage-base/edge`, command: ['sleep', '86400'] };
      await project.configure({ roles: { web }, accessories: { cache } });
      await project.succeed('promote', '1.1.0', '--to', 'prod');
      await project.configure({ roles: { web } });
    },
    words: promote('1.2.0'),
    serves: ['1.1.0', '1.2.0'],
    end: '1.2.0',
  },
  'a cordon': {
    prepare: (project) => stand(project),
    words: ['host', 'cordon', 'prod-2', '--env', 'prod'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'the return of a host': {
    prepare: async (project) => {
      await stand(project);
      await project.succeed('host', 'cordon', 'prod-2', '--env', 'prod');
    },
    words: ['host', 'uncordon', 'prod-2', '--env', 'prod', '--yes'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'a resume': {
    prepare: async (project) => {
      await stand(project);
      await project.succeed('rollback', 'prod');
    },
    words: ['resume', 'prod'],
    serves: ['1.0.0'],
    end: '1.0.0',
  },
  'an adoption': {
    prepare: async (project) => {
      await stand(project);
      await rm(join(project.folder, '.lockage', 'state', '.pulumi'), { recursive: true });
      for (const version of ['1.0.0', '1.1.0', '1.2.0'])
        await project.succeed('release', version, '--image', `${project.lab.registry}/trial:build-${version}`);
    },
    words: ['adopt', 'prod', '--yes'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'another number of containers': {
    environment: 'mesh',
    prepare: async (project) => {
      await project.configure({ roles: { web } });
      await project.succeed('promote', '1.1.0', '--to', 'mesh');
      await project.run('scale', 'mesh', 'web=1', '--yes', '--json');
      scalings += 1;
    },
    words: ['scale', 'mesh', 'web=COUNT', '--yes'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'a destruction': { prepare: (project) => stand(project), words: ['destroy', 'prod', '--yes'], serves: ['1.1.0'] },
  'a release': {
    prepare: async (project) => {
      await stand(project);
      await project.build(`3.0.${(releases += 1)}`);
    },
    words: ['release', '3.0.N', '--image', 'build-3.0.N'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
};

/** The words of a deed as they are this time: a release is another one each time, and a number one that no standby has. */
export function wordsOf(project: TestProject, { words }: Deed): string[] {
  return words.map((word) =>
    word.startsWith('build-')
      ? `${project.lab.registry}/trial:${word.replace('N', String(releases))}`
      : word.replace('3.0.N', `3.0.${releases}`).replace('COUNT', String(2 + (scalings % 2))),
  );
}
