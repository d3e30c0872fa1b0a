import path from 'node:path';
import type { WrittenTarget } from '../../../pipelines/config/edit-targets.ts';
import { hostsOf } from '../../../pipelines/config/resolve/targets.ts';
import { namePattern, nameRule } from '../../../pipelines/config/schema/names.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { engineKey, parseAddress, parseUrl, type SshEndpoint } from '../../../pipelines/model/endpoint.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { isHostAddress } from '../../../pipelines/model/ip-address.ts';
import { toRecord } from '../../../pipelines/model/target-record.ts';
import { isSshHost, type SshHost } from '../../../pipelines/model/target.ts';

/** The name of a machine and the way to reach it, as given on the command line. */
export interface TargetFlags {
  readonly name?: string;
  readonly address?: string;
  readonly identity?: string;
  readonly jump?: string;
  readonly hostKey?: readonly string[];
}

/** A machine that is, or will be, a host of an environment. */
export interface Target {
  readonly host: SshHost;
  /** the target as it will be written into the environment's file; absent: it is there */
  readonly written?: WrittenTarget;
}

/**
 * Returns the target that a URL and flags stand for: that of the environment with the same engine, or a new one.
 * @throws LockageError (refused) with everything that is wrong with them.
 */
export function targetOf(
  environment: Environment,
  url: string,
  flags: TargetFlags,
  place: { readonly root: string; readonly cwd: string },
): Target {
  const endpoint = sshEndpoint(url, flags);
  const found = environment.hosts.filter(isSshHost).find((host) => engineKey(host.endpoint) === engineKey(endpoint));
  if (found) {
    refuse(contradictions(found, endpoint, flags));
    return { host: found };
  }
  const name = flags.name ?? freeName(environment, url);
  const holder = environment.hosts.find((host) => host.name === name);
  if (holder) refuse([`${name} is a host of ${environment.name} already: ${toRecord(holder).url}`]);
  const identity = flags.identity === undefined ? undefined : keyFile(flags.identity, place);
  const written: WrittenTarget = {
    name,
    url,
    ...(flags.address === undefined ? {} : { address: flags.address }),
    ...(identity === undefined ? {} : { identity }),
    ...(flags.jump === undefined ? {} : { jump: flags.jump }),
  };
  const [host] = hostsOf(environment.name, [written], place.root, environment.sshConfig);
  if (!host || !isSshHost(host)) throw new Error('a target of an ssh URL makes a host that is reached by ssh');
  return { host, written };
}

/** Returns the endpoint of a URL, once URL and flags have passed all checks. Throws LockageError with all problems. */
function sshEndpoint(url: string, flags: TargetFlags): SshEndpoint {
  const endpoint = parseUrl(url);
  const wrong = flagProblems(flags);
  if (endpoint.kind === 'invalid') throw refusal([`${url}: ${endpoint.problem}`, ...wrong]);
  if (endpoint.kind !== 'ssh') {
    throw refusal([`${url}: only a machine that is reached by ssh can be prepared`, ...wrong]);
  }
  const hasPath = !/^ssh:\/\/[^/]*\/?$/.test(url);
  refuse([...(hasPath ? [`${url}: leave the path of the socket out, which is the usual one`] : []), ...wrong]);
  return endpoint;
}

function flagProblems({ name, address, jump, hostKey = [] }: TargetFlags): string[] {
  return [
    ...(name === undefined || namePattern.test(name) ? [] : [`--name ${name}: expected ${nameRule}`]),
    ...(address === undefined || isHostAddress(address)
      ? []
      : [`--address ${address}: expected a host name or address without port`]),
    ...(jump === undefined || parseAddress(jump) !== undefined ? [] : [`--jump ${jump}: expected user@host:port`]),
    ...hostKey
      .filter((print) => !/^SHA256:[A-Za-z0-9+/]{43}$/.test(print))
      .map((print) => `--host-key ${print}: expected a fingerprint as ssh-keygen -l prints it, SHA256:…`),
  ];
}

/** Returns what on the command line contradicts the target that is written. */
function contradictions(host: SshHost, { user }: SshEndpoint, { name, address, jump }: TargetFlags): string[] {
  const given = { name, address, jump };
  const written = toRecord(host);
  return [
    ...(host.endpoint.user === user ? [] : [`${host.name} is written as ${written.url}`]),
    ...Object.entries(given).flatMap(([key, value]) => {
      const is = written[key as keyof typeof given];
      return value === undefined || value === is ? [] : [`--${key} ${value}: ${host.name} has ${is ?? 'none'}`];
    }),
  ];
}

/** Returns the first part of the host name, or the environment's name with the lowest free number. */
function freeName(environment: Environment, url: string): string {
  const taken = new Set(environment.hosts.map(({ name }) => name));
  const [guess] = hostsOf(environment.name, [url], '/');
  const numbered = Array.from({ length: taken.size + 1 }, (_, index) => `${environment.name}-${index + 1}`);
  const own = guess && !numbered.includes(guess.name) ? [guess.name] : [];
  return [...own, ...numbered].find((name) => !taken.has(name)) ?? environment.name;
}

/**
 * Returns the path of a key file; inside the project it is relative to lockage.yaml, so that it works for others too.
 */
function keyFile(given: string, { root, cwd }: { readonly root: string; readonly cwd: string }): string {
  if (given.startsWith('~')) return given;
  const file = path.resolve(cwd, given);
  const inside = path.relative(root, file);
  return inside.startsWith('..') || path.isAbsolute(inside) ? file : inside;
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw refusal(problems);
}

function refusal(problems: readonly string[]): LockageError {
  return new LockageError('the host cannot be added as given: nothing was changed', { details: problems });
}
