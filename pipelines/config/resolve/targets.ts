import path from 'node:path';
import {
  endpointOf,
  hostname,
  type Endpoint,
  type EndpointSettings,
  type SshConfig,
  type TlsFiles,
} from '../../model/endpoint.ts';
import { pending, type EnvironmentHost, type Host } from '../../model/target.ts';
import type { EnvironmentFile } from '../schema/files.ts';
import { namePattern } from '../schema/names.ts';
import type { MachinesFile, TargetFile, TargetsFile } from '../schema/targets.ts';
import type { Path } from '../source/problem.ts';
import { defaults } from './defaults.ts';

/** The name of a swarm where an environment's hosts are called by their names. */
export const swarmName = 'swarm';

/**
 * Returns the targets that an environment's file names, and where they stand in it; none if it makes its machines
 * itself.
 */
export function targetsOf(own: Pick<EnvironmentFile, 'targets'>): {
  readonly list: readonly TargetFile[];
  readonly path: Path;
  readonly isSwarm: boolean;
} {
  const { targets } = own;
  if ('managers' in targets) return { list: targets.managers, path: ['targets', 'managers'], isSwarm: true };
  return { list: isMachines(targets) ? [] : targets, path: ['targets'], isSwarm: false };
}

/** Returns whether targets are machines of the environment's own. */
export function isMachines(targets: TargetsFile): targets is MachinesFile {
  return 'kind' in targets && (targets.kind === 'lxc' || targets.kind === 'vm');
}

/** Returns the hosts of an environment, whatever kind of targets it has. */
export function targetHosts(
  environment: string,
  targets: TargetsFile,
  root: string,
  config?: SshConfig,
): EnvironmentHost[] {
  return isMachines(targets)
    ? machineHosts(environment, targets)
    : hostsOf(environment, targetsOf({ targets }).list, root, config);
}

/** Returns the machines that an environment makes; their addresses are known once they are made. */
function machineHosts(environment: string, { count = defaults.machine.count }: MachinesFile): EnvironmentHost[] {
  return Array.from({ length: count }, (_, index) => pending(`${environment}-${index + 1}`));
}

/** Returns the hosts of an environment; URLs must have passed `urlProblem`. Relative key files are taken from `root`. */
export function hostsOf(environment: string, targets: readonly TargetFile[], root: string, config?: SshConfig): Host[] {
  const written = targets.map((target) => (typeof target === 'string' ? { url: target } : target));
  const reached = written.map((target) => ({
    target,
    endpoint: endpointOf(environment, {
      ...withKeyFiles(target, root),
      ...(config === undefined ? {} : { sshConfig: config }),
    }),
  }));
  const guesses = reached.map(({ target, endpoint }) => target.name ?? firstLabel(endpoint));
  return reached.map(({ target, endpoint }, index): Host => {
    const guess = guesses[index];
    const isShared = target.name === undefined && guesses.filter((other) => other === guess).length > 1;
    const name = guess === undefined || isShared ? `${environment}-${index + 1}` : guess;
    return { kind: 'host', name, address: target.address ?? hostname(endpoint) ?? '127.0.0.1', endpoint };
  });
}

function firstLabel(endpoint: Endpoint): string | undefined {
  const label = hostname(endpoint)?.split('.')[0]?.toLowerCase() ?? '';
  return namePattern.test(label) && !/^\d+$/.test(label) ? label : undefined;
}

function withKeyFiles(target: Exclude<TargetFile, string>, root: string): EndpointSettings {
  const { url, identity, jump, hostKey, tls } = target;
  return {
    url,
    ...(identity === undefined ? {} : { identity: keyFile(identity, root) }),
    ...(jump === undefined ? {} : { jump }),
    ...(hostKey === undefined ? {} : { hostKey }),
    ...(tls === undefined ? {} : { tls: tlsFiles(tls, root) }),
  };
}

/** Returns which ssh_config an environment's hosts are reached with; undefined for none. */
export function sshConfigOf(config: boolean | string | undefined, root: string): SshConfig | undefined {
  if (typeof config === 'string') return keyFile(config, root);
  return config === true ? true : undefined;
}

function keyFile(file: string, root: string): string {
  return file.startsWith('~') ? file : path.posix.resolve(root, file);
}

function tlsFiles({ ca, cert, key }: TlsFiles, root: string): TlsFiles {
  return { ca: keyFile(ca, root), cert: keyFile(cert, root), key: keyFile(key, root) };
}
