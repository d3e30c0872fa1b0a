// The Docker Engine of today, for hosts of the lab: distributions are years behind it. It is never the machine's own engine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toolVersions } from '../../infra/system/tool-versions.ts';
import { cachedEngine, cacheLock } from '../tools/cache.ts';
import { findProgram } from './command.ts';
import { goBuild, type GoProgram } from './go-build.ts';
import { withLock } from './lock.mjs';
import { installPackages } from './packages.ts';
import type { Step } from './step.ts';

/** The first number of its version, as it is asked for. */
export type NewerEngine = '29';

const moby = 'github.com/moby/moby/v2';
const containerd = 'github.com/containerd/containerd/v2';

type Program = Pick<GoProgram, 'module' | 'source' | 'set' | 'tags' | 'env'>;

const daemon = { module: 'scripts/setup/go/dockerd', tags: 'netgo osusergo no_systemd exclude_graphdriver_btrfs' };
const runtime = { module: 'scripts/setup/go/containerd', tags: 'netgo osusergo no_btrfs no_devmapper no_zfs' };

/** What an engine starts, by the names it looks for. Those of an older distribution are too old for it. */
const programs: Readonly<Record<string, Program>> = {
  runc: {
    module: 'scripts/setup/go/runc',
    source: 'github.com/opencontainers/runc',
    tags: 'seccomp',
    // It enters namespaces and filters system calls by code in C.
    env: { CGO_ENABLED: '1' },
  },
  containerd: { ...runtime, source: `${containerd}/cmd/containerd` },
  'containerd-shim-runc-v2': { ...runtime, source: `${containerd}/cmd/containerd-shim-runc-v2` },
  'docker-proxy': { ...daemon, source: `${moby}/cmd/docker-proxy` },
  dockerd: { ...daemon, source: `${moby}/cmd/dockerd`, set: [`${moby}/dockerversion.Version`, toolVersions.engine] },
};

/** Makes the steps for the newer engine: what its build needs, and the programs, which are kept like all that is built. */
export function newerEngineSteps(): Step[] {
  return [compilerStep(), engineStep()];
}

/** Returns whether the newer engine is there. */
export function isNewerEngineThere(): boolean {
  return missing().length === 0;
}

function compilerStep(): Step {
  const packages = ['gcc', 'libc6-dev', 'libseccomp-dev', 'pkg-config'];
  return {
    name: 'C for runc',
    why: 'runc filters system calls by a library in C',
    ready() {
      if (isNewerEngineThere()) return Promise.resolve('not needed any more');
      if (findProgram('dpkg-query') === undefined) return Promise.resolve(`left to you: ${packages.join(', ')}`);
      const there = findProgram('gcc') !== undefined && existsSync('/usr/include/seccomp.h');
      return Promise.resolve(there ? 'installed' : undefined);
    },
    async run(progress) {
      await installPackages(packages, progress);
      return `installed ${packages.join(', ')}`;
    },
  };
}

function engineStep(): Step {
  return {
    name: `Docker Engine ${toolVersions.engine}`,
    why: 'a newer engine for hosts of the lab, with containerd and runc: minutes of all processors, the first time',
    ready() {
      return Promise.resolve(isNewerEngineThere() ? `in ${cachedEngine()}` : undefined);
    },
    async run(progress) {
      return await withLock(
        cacheLock('newer-engine'),
        async () => {
          for (const name of missing()) await build(name, progress);
          return 'built from Go modules';
        },
        () => progress('another set-up is at it: waiting'),
      );
    },
  };
}

function missing(): string[] {
  return Object.keys(programs).filter((name) => !existsSync(join(cachedEngine(), name)));
}

async function build(name: string, progress: (line: string) => void): Promise<void> {
  const program = programs[name];
  if (!program) throw new Error(`no program ${name} belongs to the engine`);
  const instead = 'run the tests without `--engine`, on the engine of this machine.';
  await goBuild({ ...program, out: join(cachedEngine(), name), instead }, progress);
}
