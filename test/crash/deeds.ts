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
  /** where nothing is left to do it takes no lock, so one that was killed keeps its own, which the next command takes over */
  readonly keepsLock?: true;
}

const promote = (version: string) => ['promote', version, '--to', 'prod', '--yes'];
const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '20s' } };

const versions = ['1.0.0', '1.1.0', '1.2.0'] as const;

/** The releases as they are named here: what is a standby, what serves, and the other one; and which each is this time. */
let parts: readonly string[] = versions;
/** networks, edges or accessories may be others than a deed begins with */
let isOther = false;

let releases = 0;
let scalings = 0;
let foundations = 0;

/** Returns a text with the releases that are meant this time. */
export const named = (text: string) =>
  text
    .replaceAll(/1\.[012]\.0/g, (version) => parts[Number(version[2])] ?? version)
    .replace('3.0.N', `3.0.${releases}`);

/** Brings prod to 1.1.0, with 1.0.0 as its standby. Where a deed has left one release beside another, these are what is meant. */
async function stand(project: TestProject): Promise<void> {
  await project.configure({ roles: { web }, accessories: {}, verification: [] });
  await project.run('host', 'uncordon', 'prod-2', '--env', 'prod', '--yes', '--json');
  const { json: status } = await project.succeed('status', '--env', 'prod');
  if (status.hold) await project.run('resume', 'prod', '--json');
  const standby = status.rollback.find(({ from }: { from: string }) => from === 'standby')?.version;
  const isWell = !isOther && status.problems.length === 0 && [status.version, standby].every(isOurs);
  const other = versions.find((version) => ![status.version, standby].includes(version)) ?? '';
  parts = isWell ? (status.hold ? [status.version, other, standby] : [standby, status.version, other]) : versions;
  const missing = isWell ? (status.hold ? ['1.1.0'] : []) : ['1.0.0', '1.1.0'];
  for (const version of missing) await project.succeed('promote', named(version), '--to', 'prod');
  isOther = false;
}

const isOurs = (version: unknown) => versions.some((each) => each === version);

/** Configures something else than the deeds begin with. */
async function change(project: TestProject, settings: Record<string, unknown>): Promise<void> {
  isOther = true;
  await project.configure(settings);
}

/** Brings prod to where nothing is. */
async function nothing(project: TestProject): Promise<void> {
  parts = versions;
  await project.configure({ roles: { web }, accessories: {}, verification: [] });
  await project.succeed('destroy', 'prod');
}

/** Brings prod to 1.1.0, with one more release that was never promoted. */
async function newRelease(project: TestProject): Promise<void> {
  await stand(project);
  const version = `3.0.${(releases += 1)}`;
  await project.build(version);
  await project.succeed('release', version, '--image', `${project.lab.registry}/trial:build-${version}`);
}

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
        const labels = { 'lockage.release': named('1.0.0') };
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
  'a promotion with a verification': {
    prepare: async (project) => {
      await stand(project);
      await project.configure({ verification: [{ name: 'smoke', command: ['busybox', 'true'] }] });
    },
    words: promote('1.2.0'),
    serves: ['1.1.0', '1.2.0'],
    end: '1.2.0',
  },
  'a verification': {
    prepare: async (project) => {
      await stand(project);
      await project.configure({ verification: [{ name: 'smoke', command: ['busybox', 'true'] }] });
    },
    words: ['verify', 'prod'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'a run of the pipeline': {
    prepare: async (project) => {
      await newRelease(project);
      await project.configureEnvironment('prod', { promote: 'auto' });
    },
    words: ['pipeline', 'run', '--release', '3.0.N'],
    serves: ['1.1.0', '3.0.N'],
    end: '3.0.N',
    keepsLock: true,
  },
  'a change of the foundation': {
    prepare: async (project) => {
      await stand(project);
      // An earlier port stays open while something that is kept serves there.
      await change(project, { roles: { web, admin: { ...web, publish: 8100 + (foundations += 1) } } });
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
      await change(project, { roles: { web }, accessories: { cache } });
      await project.succeed('promote', named('1.1.0'), '--to', 'prod');
      await change(project, { roles: { web }, accessories: {} });
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
  'a healing': {
    prepare: async (project) => {
      await stand(project);
      for (const version of ['1.0.0', '1.1.0']) {
        const labels = { 'lockage.release': version };
        const [found] = await project.engine('prod-1').listContainers({ all: true, labels });
        const more = 300 * 2 ** 20;
        await project.engine('prod-1').updateContainer(found?.Id ?? '', { Memory: more, MemorySwap: more });
      }
    },
    words: ['heal', 'prod', '--yes'],
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
  'a pruning': {
    prepare: async (project) => {
      await stand(project);
      for (const { name } of project.hosts('prod')) {
        const labels = { 'lockage.app': 'trial', 'lockage.environment': 'prod', 'lockage.part': 'release' };
        await project.engine(name).createVolume(Date.now().toString(16).padStart(64, '0'), { Labels: labels });
      }
    },
    words: ['prune', 'prod', '--yes'],
    serves: ['1.1.0'],
    end: '1.1.0',
    keepsLock: true,
  },
  'a destruction': { prepare: (project) => stand(project), words: ['destroy', 'prod', '--yes'], serves: ['1.1.0'] },
  'an archiving': { prepare: (project) => stand(project), words: ['archive', 'prod', '--yes'], serves: ['1.1.0'] },
  'a release': {
    prepare: async (project) => {
      await stand(project);
      await project.build(`3.0.${(releases += 1)}`);
    },
    words: ['release', '3.0.N', '--image', 'build-3.0.N'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'a block': {
    prepare: newRelease,
    words: ['block', '3.0.N', '--reason', 'trial'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
  'an unblock': {
    prepare: async (project) => {
      await newRelease(project);
      await project.succeed('block', `3.0.${releases}`, '--reason', 'trial');
    },
    words: ['unblock', '3.0.N'],
    serves: ['1.1.0'],
    end: '1.1.0',
  },
};

/** The words of a deed as they are this time: a release is another one each time, and a number one that no standby has. */
export function wordsOf(project: TestProject, { words, environment }: Deed): string[] {
  const meant = environment === undefined ? words.map(named) : words;
  return meant.map((word) =>
    word.startsWith('build-')
      ? `${project.lab.registry}/trial:${word.replace('N', String(releases))}`
      : word.replace('3.0.N', `3.0.${releases}`).replace('COUNT', String(2 + (scalings % 2))),
  );
}
