import type { Environment } from '../model/environment.ts';
import { isIpv6 } from '../model/ip-address.ts';
import { freeSubnet, type AddressPool } from './address-pools.ts';

/** What an engine says of itself and its kernel, as far as it decides what can run there. Absent: it does not say. */
export interface Abilities {
  /** what its kernel can hold containers to */
  readonly cpuQuota?: boolean;
  readonly memoryLimit?: boolean;
  readonly pidsLimit?: boolean;
  /** what confines containers, and the engine itself: `apparmor`, `selinux`, `rootless`, `userns` */
  readonly security: readonly string[];
  /** its plugins that may refuse requests */
  readonly authorization: readonly string[];
  readonly dataFolder?: string;
  readonly logDriver?: string;
  /** where networks get their addresses; absent: those that Docker has by itself */
  readonly pools?: readonly AddressPool[];
}

/** A host that is looked at on behalf of an environment. */
export interface Look {
  readonly environment: Pick<Environment, 'name' | 'hosts' | 'roles' | 'accessories' | 'edge' | 'orchestrator'>;
  readonly host: string;
  /** where it is reached */
  readonly address?: string;
  readonly abilities: Abilities;
  /** the subnets of its networks; absent: the environment's network is there already */
  readonly subnets?: readonly string[];
  /** ports that the environment publishes there */
  readonly ports: readonly number[];
}

/** A fact about a host that prevents something, or only should be known, with what helps. */
export interface Finding {
  readonly text: string;
  readonly hint: string;
}

/** Returns why an environment cannot run on a host. It would be found out halfway else. */
export function obstacles(look: Look): Finding[] {
  return [...snap(look), ...noQuota(look), ...noAddresses(look)];
}

/** Returns what is otherwise there than it should be, or than one expects. */
export function oddities(look: Look): Finding[] {
  return [...noLimits(look), ...lowPorts(look), ...noLogs(look), ...plugins(look), ...onlyIpv6(look)];
}

/** https://bugs.launchpad.net/snapd/+bug/1908448 */
function snap({ abilities: { dataFolder = '', security } }: Look): Finding[] {
  if (!dataFolder.startsWith('/var/snap/') || !security.includes('apparmor')) return [];
  return [
    {
      text: 'its Docker Engine is a snap, whose AppArmor profile lets no container start with no-new-privileges',
      hint: 'Run `snap remove docker` there, and install Docker from the distribution (`apt-get install docker.io`) or from Docker.',
    },
  ];
}

function noQuota({ environment, host, abilities }: Look): Finding[] {
  if (abilities.cpuQuota !== false) return [];
  const { roles, accessories, edge, orchestrator } = environment;
  const isHere = (hosts: readonly string[]) => orchestrator !== undefined || hosts.includes(host);
  const keys = [
    ...roles.flatMap(({ name, hosts, limits }) =>
      isHere(hosts) && limits.cpus !== undefined ? [`roles.${name}.limits.cpus`] : [],
    ),
    ...accessories.flatMap(({ name, host: on, cpus }) =>
      isHere([on]) && cpus !== undefined ? [`accessories.${name}.limits.cpus`] : [],
    ),
    ...(edge?.limits?.cpus === undefined ? [] : ['edge.limits.cpus']),
  ];
  if (keys.length === 0) return [];
  const why = abilities.security.includes('rootless')
    ? 'its rootless engine may not limit processors'
    : 'its kernel has no CPU quotas';
  return [
    {
      text: `${why}, which ${keys.join(', ')} ${keys.length === 1 ? 'needs' : 'need'}`,
      hint: 'Write `cpus: none` there for this environment, or give the engine the cpu controller of cgroups.',
    },
  ];
}

function noAddresses({ environment, abilities, subnets }: Look): Finding[] {
  if (subnets === undefined || environment.orchestrator || freeSubnet(abilities.pools, subnets)) return [];
  return [
    {
      text: `all address pools of its Docker Engine are used, by ${subnets.length} networks`,
      hint: 'Run `docker network prune` there, or write more `default-address-pools` into /etc/docker/daemon.json and restart Docker.',
    },
  ];
}

function noLimits({ abilities: { memoryLimit, pidsLimit } }: Look): Finding[] {
  const keys = [...(memoryLimit === false ? ['limits.memory'] : []), ...(pidsLimit === false ? ['limits.pids'] : [])];
  if (keys.length === 0) return [];
  return [
    {
      text: `its kernel does not keep ${keys.join(' and ')}: a container may take all there is`,
      hint: 'Switch the controllers of cgroups on (`cgroup_enable=memory`; for a rootless engine Delegate=yes of its systemd unit).',
    },
  ];
}

function lowPorts({ abilities: { security }, ports }: Look): Finding[] {
  const low = ports.filter((port) => port < 1024);
  if (low.length === 0 || !security.includes('rootless')) return [];
  return [
    {
      text: `its engine is rootless, and may not listen on port ${low.join(', ')} unless it was given the right`,
      hint: 'Set net.ipv4.ip_unprivileged_port_start=80 with sysctl there, or give the role another `publish` port.',
    },
  ];
}

function noLogs({ environment: { roles }, abilities: { logDriver } }: Look): Finding[] {
  const own = roles.filter(({ log }) => log && !('options' in log)).map(({ name }) => name);
  if (logDriver !== 'none' || own.length === 0) return [];
  return [
    {
      text: `its Docker Engine keeps no logs, and ${own.join(', ')} ${own.length === 1 ? 'has' : 'have'} its driver: \`lockage logs\` shows nothing`,
      hint: 'Leave `log` of the role out, or name another driver there.',
    },
  ];
}

function plugins({ abilities: { authorization } }: Look): Finding[] {
  if (authorization.length === 0) return [];
  return [
    {
      text: `${authorization.join(', ')} may refuse what its Docker Engine is asked for`,
      hint: 'See that it allows this client to make containers, networks, volumes and exec sessions.',
    },
  ];
}

/** The networks of containers have IPv4 alone, and an edge opens its ports there. */
function onlyIpv6({ environment: { accessories, hosts, orchestrator }, host, address = '', ports }: Look): Finding[] {
  if (!isIpv6(address)) return [];
  const isShared = hosts.length > 1 && !orchestrator;
  const shared = accessories.flatMap((each) =>
    isShared && each.host === host && each.port !== undefined ? [each.name] : [],
  );
  const visitors = {
    text: `is reached at ${address}, and opens port ${ports.join(', ')} at its IPv4 addresses alone`,
    hint: 'Have what visitors reach by IPv6, as a load balancer, ask it by IPv4; or give it an IPv4 `address`.',
  };
  const others = {
    text: `is reached at ${address}, and containers of other hosts, which have IPv4 alone, do not find ${shared.join(', ')} there`,
    hint: 'Give it an IPv4 `address` that the other hosts reach.',
  };
  return [...(ports.length > 0 ? [visitors] : []), ...(shared.length > 0 ? [others] : [])];
}
