import path from 'node:path';
import { namePattern } from '../schema/names.ts';
import { defaults } from './defaults.ts';
import type { Path } from '../source/problem.ts';
import type { EnvironmentFile } from '../schema/files.ts';
import type { MachinesFile, TargetFile, TargetsFile } from '../schema/targets.ts';
import { hostname } from '../schema/target-url.ts';
import { pending, type Host, type TlsFiles } from '../../model/target.ts';

/** What a swarm is called where an environment's hosts are called by their names. */
export const swarmName = 'swarm';

/** The targets that an environment's file names, and where they stand in it; none where it makes its machines itself. */
export function targetsOf(own: Pick<EnvironmentFile, 'targets'>): {
  readonly list: readonly TargetFile[];
  readonly path: Path;
  readonly isSwarm: boolean;
} {
  const { targets } = own;
  if ('managers' in targets) return { list: targets.managers, path: ['targets', 'managers'], isSwarm: true };
  return { list: isMachines(targets) ? [] : targets, path: ['targets'], isSwarm: false };
}

export function isMachines(targets: TargetsFile): targets is MachinesFile {
  return 'kind' in targets && targets.kind !== 'swarm';
}

/** The hosts of an environment, whatever kind of targets it has. */
export function targetHosts(environment: string, targets: TargetsFile, root: string): Host[] {
  return isMachines(targets)
    ? machineHosts(environment, targets)
    : hostsOf(environment, targetsOf({ targets }).list, root);
}

/** The machines that an environment makes: where each is reached is known once it is made. */
function machineHosts(environment: string, { count = defaults.machine.count }: MachinesFile): Host[] {
  return Array.from({ length: count }, (_, index) => pending(`${environment}-${index + 1}`));
}

/** The hosts of an environment; URLs must have passed `urlProblem`. Relative key files are taken from `root`. */
export function hostsOf(environment: string, targets: readonly TargetFile[], root: string): Host[] {
  const written = targets.map((target) => (typeof target === 'string' ? { url: target } : target));
  const guesses = written.map((target) => target.name ?? firstLabel(target.url));
  return written.map((target, index) => {
    const guess = guesses[index];
    const isShared = target.name === undefined && guesses.filter((other) => other === guess).length > 1;
    return {
      name: guess === undefined || isShared ? `${environment}-${index + 1}` : guess,
      url: target.url,
      address: target.address ?? hostname(target.url) ?? '127.0.0.1',
      ...(target.identity === undefined ? {} : { identity: keyFile(target.identity, root) }),
      ...(target.jump === undefined ? {} : { jump: target.jump }),
      ...(target.hostKey === undefined ? {} : { hostKey: target.hostKey }),
      ...(target.tls === undefined ? {} : { tls: tlsFiles(target.tls, root) }),
    };
  });
}

/** Two targets with the same key are the same Docker Engine. */
export function engineKey(url: string): string {
  if (url.startsWith('unix:')) return url.replace('/var/run/', '/run/');
  const { protocol, hostname: host, port, pathname } = new URL(url);
  if (protocol === 'tcp:') return `tcp://${host.toLowerCase()}:${port}`;
  return `ssh://${host.toLowerCase()}:${port || '22'}${pathname.replace(/\/$/, '').replace('/var/run/', '/run/').replace('/run/docker.sock', '')}`;
}

function firstLabel(url: string): string | undefined {
  const label = hostname(url)?.split('.')[0]?.toLowerCase() ?? '';
  return namePattern.test(label) && !/^\d+$/.test(label) ? label : undefined;
}

function keyFile(file: string, root: string): string {
  return file.startsWith('~') ? file : path.posix.resolve(root, file);
}

function tlsFiles({ ca, cert, key }: TlsFiles, root: string): TlsFiles {
  return { ca: keyFile(ca, root), cert: keyFile(cert, root), key: keyFile(key, root) };
}
