import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { ask, findProgram, rootWords, run } from './command.ts';
import { StepError, type Step } from './step.ts';

const labPackages = [
  'openssh-server',
  'openssh-client',
  'iproute2',
  'iptables',
  'mmdebstrap',
  'lxc',
  'haproxy',
  'qemu-system-x86',
  'qemu-utils',
  'e2fsprogs',
  'xz-utils',
  'docker-registry',
  'busybox-static',
  'git',
  'openssl',
  'ca-certificates',
];

// The lab starts these itself, inside its own hosts; the machine must not offer them to its network.
const servicesToKeepOff: Readonly<Record<string, readonly string[]>> = {
  'openssh-server': ['ssh.service', 'ssh.socket'],
  'docker-registry': ['docker-registry.service'],
  lxc: ['lxc.service', 'lxc-net.service'],
  haproxy: ['haproxy.service'],
};

/**
 * Makes the step for the Debian packages that the lab of several hosts on one machine needs. It is left out if the lab
 * cannot run anyway.
 */
export function labPackagesStep(): Step {
  return {
    name: 'lab packages',
    why: 'several hosts, a registry and ssh on this one machine, for the demo and the tests',
    async ready() {
      if (process.platform !== 'linux') return 'not needed: the lab of several hosts runs on Linux only';
      if (findProgram('dpkg-query') === undefined) return `left to you: no apt-get here (${labPackages.join(', ')})`;
      const missing = await missingPackages(labPackages);
      if (missing.length === 0) return 'installed';
      const root = await rootWords();
      return root ? undefined : `left out, for want of root: ${missing.join(', ')}`;
    },
    async run(progress) {
      const missing = await missingPackages(labPackages);
      await installPackages(missing, progress);
      return `installed ${missing.join(', ')}`;
    },
  };
}

let listsAreFresh = false;

/** Installs Debian packages as root without starting the services in them. */
export async function installPackages(packages: readonly string[], progress: (line: string) => void): Promise<void> {
  const root = await rootWords();
  const todo = `install them by hand (${packages.join(' ')}), then run this again.`;
  if (!root) throw new StepError('installing packages needs root or sudo without a password', todo);
  const apt = [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=120'];
  if (!listsAreFresh) {
    progress('apt-get update');
    await run([...apt, 'update'], { todo: 'check the package sources of this machine, then run this again.' });
    listsAreFresh = true;
  }
  progress(`apt-get install ${packages.join(' ')}`);
  await withServicesHeldBack(root, async () => {
    await run([...apt, 'install', '--no-install-recommends', '-y', ...packages], { timeout: 1_200_000, todo });
  });
  const services = packages.flatMap((name) => servicesToKeepOff[name] ?? []);
  if (hasSystemd()) for (const service of services) await ask([...root, 'systemctl', 'disable', '--now', service]);
}

/** Returns whether systemd runs this machine, and so starts its services. */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const lines = (await run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\\n'])).split('\n');
  const installed = new Set(lines.filter((line) => line.endsWith(' installed')).map((line) => line.split(' ')[0]));
  return packages.filter((name) => !installed.has(name));
}

// The hook that Debian asks before it starts a service of a new package; 101 means no.
const policyHook = '/usr/sbin/policy-rc.d';
const ours = '# put here by the set-up of lockage while it installs packages';

async function withServicesHeldBack(root: readonly string[], work: () => Promise<void>): Promise<void> {
  const present = await readFile(policyHook, 'utf8').catch(() => undefined);
  if (present !== undefined && !present.includes(ours)) return await work();
  const draft = join(cacheFolder(), `policy-rc.d.${process.pid}`);
  await mkdir(cacheFolder(), { recursive: true });
  await writeFile(draft, `#!/bin/sh\n${ours}\nexit 101\n`);
  try {
    await run([...root, 'install', '-m', '0755', draft, policyHook]);
    await work();
  } finally {
    await run([...root, 'rm', '-f', draft, policyHook]);
  }
}
