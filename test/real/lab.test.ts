import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createLab, openLab, removeLab, type Lab } from '../../scripts/lab/lab.ts';
import { createOneEngineLab } from '../../scripts/lab/one-engine.ts';

// Several runs may share the machine; what this one could leave behind carries this name.
const mine = `l${process.pid.toString(36)}`;
const sleeper = `98${process.pid}`;
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) {
    await removeLab(join(folder, 'lab'));
    rmSync(folder, { recursive: true, force: true });
  }
});

describe.runIf(process.platform === 'linux' && process.getuid?.() === 0)('a lab of bare hosts', () => {
  test('two hosts in a lab have engines of their own and pull from its registry', async () => {
    const lab = await twoHosts(`${mine}-a`);
    const [one, two] = [lab.host('dev-1'), lab.host('uat-1')];
    const image = lab.images.edge ?? '';
    for (const host of [one, two]) docker(host.dockerHost, 'pull', '--quiet', image);
    docker(one.dockerHost, 'run', '--detach', '--name', 'only-here', image, 'sleep', '300');

    expect(docker(one.dockerHost, 'ps', '--format', '{{.Names}}')).toBe('only-here');
    expect(docker(two.dockerHost, 'ps', '--format', '{{.Names}}')).toBe('');
    expect(docker(one.dockerHost, 'info', '--format', '{{.Name}}')).toBe('dev-1');
    expect(docker(two.dockerHost, 'info', '--format', '{{.Name}}')).toBe('uat-1');
  });

  test('an ssh host shows its own host key and its own engine', async () => {
    const lab = await twoHosts(`${mine}-b`);
    const host = lab.host('uat-1');
    const options = ['BatchMode=yes', `UserKnownHostsFile=${lab.knownHosts}`, 'StrictHostKeyChecking=yes'];
    const ssh = ['-i', host.identity ?? '', ...options.flatMap((option) => ['-o', option]), host.url];

    expect(output('ssh', ...ssh, 'docker', 'info', '--format', '{{.Name}}')).toBe('uat-1');
    expect(output('ssh-keygen', '-l', '-f', lab.knownHosts ?? '')).toContain(`${host.hostKey} ${host.address}`);
  });

  test('a host can lose its engine, its network and the registry, and get each back', async () => {
    const lab = await twoHosts(`${mine}-c`);
    const host = lab.host('uat-1');
    const image = lab.images.edge ?? '';
    const serve = ['--publish', '80:80', '--restart', 'always', image, 'caddy', 'respond', '--listen', ':80', 'here'];
    docker(host.dockerHost, 'run', '--detach', ...serve);
    expect(await answer(host.address)).toBe('here');

    await host.unplug();
    expect(await answer(host.address)).toBeUndefined();
    await host.plug();
    expect(await answer(host.address)).toBe('here');

    await host.stopDocker();
    expect(await answer(host.address)).toBeUndefined();
    expect(() => docker(host.dockerHost, 'ps')).toThrow();
    await host.startDocker();
    expect(await answer(host.address)).toBe('here');

    await lab.stopRegistry();
    expect(() => docker(lab.host('dev-1').dockerHost, 'pull', '--quiet', image)).toThrow();
    await lab.startRegistry();
    docker(lab.host('dev-1').dockerHost, 'pull', '--quiet', image);
  });

  test('removing the lab leaves no process, mount, namespace or interface', async () => {
    const before = machine();
    const lab = await twoHosts(`${mine}-d`);
    const image = lab.images.edge ?? '';
    for (const host of lab.hosts) {
      docker(host.dockerHost, 'run', '--detach', '--publish', '80:80', image, 'sleep', sleeper);
    }
    expect(machine()).not.toEqual(before);

    // As by another process, after the one that made the lab is gone.
    await (await openLab(lab.dataDir)).remove();

    expect(machine()).toEqual(before);
    expect(existsSync(lab.dataDir)).toBe(false);
  });

  test('a lab that cannot be finished takes back what it had made', async () => {
    const before = machine();
    const options = { name: `${mine}-e`, environments: { dev: { hosts: 1, reach: 'unix', disk: 1 } } } as const;
    await expect(createLab({ ...options, dataDir: newFolder() })).rejects.toThrow();
    expect(machine()).toEqual(before);
  });
});

test('a lab on one engine has a registry, and a free port for each environment', async () => {
  const lab = await createOneEngineLab({
    name: `${mine}-f`,
    environments: ['dev', 'prod'],
    dataDir: newFolder(),
    seed: ['edge'],
  });
  expect(new Set(lab.hosts.map((host) => host.publish)).size).toBe(2);
  docker(lab.host('prod-1').dockerHost, 'pull', '--quiet', lab.images.edge ?? '');
  docker(lab.host('prod-1').dockerHost, 'rmi', lab.images.edge ?? '');

  await lab.remove();
  expect(docker(lab.builder.dockerHost, 'ps', '--all', '--format', '{{.Names}}')).not.toContain(lab.name);
  expect(existsSync(lab.dataDir)).toBe(false);
});

async function twoHosts(name: string): Promise<Lab> {
  return createLab({
    name,
    environments: { dev: { hosts: 1, reach: 'unix' }, uat: { hosts: 1, reach: 'ssh' } },
    dataDir: newFolder(),
    seed: ['edge'],
  });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), `${mine}-`));
  folders.push(folder);
  return join(folder, 'lab');
}

/** What a lab could leave behind on the machine. */
function machine() {
  const ours = (text: string) => text.split('\n').filter((line) => line.includes(`${mine}-`));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((words) => words.includes(`/${mine}-`) || words.includes(sleeper));
  return {
    processes,
    mounts: ours(readFileSync('/proc/self/mountinfo', 'utf8')),
    namespaces: ours(output('ip', 'netns')),
    interfaces: ours(output('ip', '-brief', 'link')),
    rules: ours(output('iptables', '-w', '10', '-S')),
    groups: ours(output('find', '/sys/fs/cgroup', '-maxdepth', '2', '-type', 'd', '-name', `${mine}-*`)),
  };
}

async function answer(address: string): Promise<string | undefined> {
  const deadline = Date.now() + 3000;
  while (Date.now() < deadline) {
    const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    if (response?.ok) return response.text();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return undefined;
}

function docker(host: string, ...words: string[]): string {
  return output('docker', '--host', host, ...words);
}

function output(command: string, ...words: string[]): string {
  return execFileSync(command, words, { encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}
