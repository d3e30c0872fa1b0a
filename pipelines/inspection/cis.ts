import { printable } from '../text/printable.ts';

/** The benchmark whose numbers are used. */
export const cisBenchmark = 'CIS Docker Benchmark v1.6.0';

/** The facts about a host's engine that checks of the benchmark need. */
export interface CisHost {
  readonly name: string;
  /** an environment of it is a swarm */
  readonly needsSwarm: boolean;
  readonly swarm: boolean;
  /** `name=seccomp,profile=default` … */
  readonly security: readonly string[];
  readonly liveRestore: boolean;
  readonly experimental: boolean;
  readonly storage: string;
  readonly logDriver: string;
  /** registries that are reached without TLS, other than loopback addresses */
  readonly insecure: readonly string[];
  readonly authorization: readonly string[];
  /** containers of the default bridge reach each other */
  readonly bridgeOpen: boolean;
  readonly containers: readonly CisContainer[];
}

/** The facts about a container of an environment that checks of the benchmark need. */
export interface CisContainer {
  readonly name: string;
  /** `release`, `edge`, `accessory`, `reaper` */
  readonly part: string;
  readonly user: string;
  readonly appArmor: string;
  readonly security: readonly string[];
  readonly added: readonly string[];
  readonly privileged: boolean;
  readonly mounts: readonly { readonly source: string; readonly writable: boolean; readonly propagation: string }[];
  readonly ports: readonly { readonly address: string; readonly port: number }[];
  /** modes of namespaces, as `host`; empty: its own */
  readonly spaces: Readonly<Record<'network' | 'process' | 'ipc' | 'uts' | 'user', string>>;
  readonly memory: number;
  readonly cpus: number;
  readonly readOnly: boolean;
  readonly restart: { readonly policy: string; readonly most: number };
  readonly devices: number;
  readonly ulimits: number;
  readonly cgroupParent: string;
  readonly checked: boolean;
  readonly pids: number;
  /** field of the configuration → why it was opened, as it is recorded */
  readonly reasons: Readonly<Record<string, string>>;
}

/** The result of one check on all hosts. */
export interface CisResult {
  /** as the benchmark numbers it */
  readonly id: string;
  readonly title: string;
  /** `accepted`: it fails only where that was chosen, with a reason that is recorded */
  readonly result: 'pass' | 'fail' | 'accepted';
  /** where it fails, and why there */
  readonly details: readonly string[];
}

interface Finding {
  readonly where: string;
  readonly actual: string;
  /** why that was chosen */
  readonly reason?: string | undefined;
}

type HostCheck = readonly [id: string, title: string, problem: (host: CisHost) => string | undefined];

const hostChecks: readonly HostCheck[] = [
  ['2.1', 'the engine does not run as root', ({ security }) => unless(security.includes('name=rootless'), 'as root')],
  [
    '2.2',
    'containers of the default bridge do not reach each other',
    ({ bridgeOpen }) => unless(!bridgeOpen, 'they do (`"icc": false` in daemon.json)'),
  ],
  ['2.5', 'no registry is reached without TLS', ({ insecure }) => unless(insecure.length === 0, insecure.join(', '))],
  ['2.6', 'the storage driver is not aufs', ({ storage }) => unless(storage !== 'aufs', storage)],
  [
    '2.9',
    'users of containers are others on the host',
    ({ security }) =>
      unless(
        security.some((each) => /^name=(userns|rootless)/.test(each)),
        'no user namespaces',
      ),
  ],
  [
    '2.12',
    'requests of clients are authorized one by one',
    ({ authorization }) => unless(authorization.length > 0, 'no authorization plugin'),
  ],
  ['2.13', 'logs leave the host', ({ logDriver }) => unless(!/^(json-file|local)$/.test(logDriver), logDriver)],
  [
    '2.15',
    'containers run on while the engine restarts',
    ({ liveRestore, swarm }) => unless(liveRestore || swarm, 'no live-restore'),
  ],
  [
    '2.17',
    'a seccomp profile is in force',
    ({ security }) =>
      unless(
        security.some((each) => each.startsWith('name=seccomp') && !each.includes('unconfined')),
        'none',
      ),
  ],
  ['2.18', 'no experimental features', ({ experimental }) => unless(!experimental, 'they are on')],
  [
    '5.1',
    'no swarm that is not needed',
    ({ swarm, needsSwarm }) => unless(!swarm || needsSwarm, 'it is part of a swarm'),
  ],
];

interface ContainerCheck {
  readonly id: string;
  readonly title: string;
  readonly problem: (container: CisContainer, host: CisHost) => string | undefined;
  /** field of the configuration by which a person opens it */
  readonly field?: string;
  /** why Lockage itself does it so, for these parts */
  readonly byDesign?: readonly ByDesign[];
}

interface ByDesign {
  readonly parts: readonly string[];
  readonly reason: string;
}

const all = ['release', 'edge', 'accessory'];
const publishes = [{ parts: ['edge', 'accessory'], reason: 'visitors and other hosts come in there, as configured' }];
const removes = {
  parts: ['reaper'],
  reason: 'it removes its environment after its time, and has the engine’s socket for that; nothing reaches it',
};

const containerChecks: readonly ContainerCheck[] = [
  {
    ...{ id: '4.1', title: 'no container runs as root', field: 'allowRoot' },
    problem: ({ user }) => unless(!/^(|0|root)(:|$)/.test(user), user === '' ? 'root' : user),
    byDesign: [{ parts: ['edge'], reason: 'it has one capability, nothing of the host, and no secret' }, removes],
  },
  {
    ...{ id: '5.2', title: 'an AppArmor profile is in force, where the host has AppArmor' },
    problem: ({ appArmor }, { security }) =>
      unless(!security.includes('name=apparmor') || !/^(|unconfined)$/.test(appArmor), appArmor || 'none'),
  },
  {
    ...{ id: '5.3', title: 'SELinux options are in force, where the host has SELinux' },
    problem: ({ security: own }, { security }) =>
      unless(!security.includes('name=selinux') || !own.includes('label=disable'), 'label=disable'),
    byDesign: [removes],
  },
  {
    ...{ id: '5.4', title: 'no capability beyond those that Docker gives', field: 'capabilities' },
    problem: ({ added }) => {
      const more = added.map((each) => each.replace(/^CAP_/, '')).filter((each) => !usual.has(each));
      return unless(more.length === 0, more.join(', '));
    },
  },
  { id: '5.5', title: 'not privileged', problem: ({ privileged }) => unless(!privileged, 'privileged') },
  {
    ...{ id: '5.6', title: 'no folder of the host’s system can be written' },
    problem: ({ mounts }) =>
      listed(mounts.filter(({ source, writable }) => writable && isSensitive(source)).map(({ source }) => source)),
  },
  {
    ...{ id: '5.8', title: 'no privileged port is published', byDesign: publishes },
    problem: ({ ports }) => listed(ports.filter(({ port }) => port < 1024).map(({ port }) => String(port))),
  },
  {
    id: '5.10',
    title: 'not on the host’s network',
    problem: ({ spaces }) => unless(spaces.network !== 'host', 'host'),
  },
  { id: '5.11', title: 'memory is limited', problem: ({ memory }) => unless(memory > 0, 'no limit') },
  {
    ...{ id: '5.12', title: 'the share of the processor is set' },
    problem: ({ cpus }) => unless(cpus > 0, 'no limit'),
    byDesign: [
      { parts: ['edge'], reason: 'no share is held back from it, so that it stands any load: `edge.limits.cpus`' },
    ],
  },
  {
    ...{ id: '5.13', title: 'the root file system is read-only', field: 'readOnly' },
    problem: ({ readOnly }) => unless(readOnly, 'can be written'),
  },
  {
    ...{ id: '5.14', title: 'ports are published at one address of the host', byDesign: publishes },
    problem: ({ ports }) => listed(ports.filter(({ address }) => isAnywhere(address)).map(({ port }) => String(port))),
  },
  {
    ...{ id: '5.15', title: 'restarted no more than five times after a failure' },
    problem: ({ restart: { policy, most } }) =>
      unless(policy === 'no' || policy === '' || (policy === 'on-failure' && most > 0 && most <= 5), policy),
    byDesign: [{ parts: all, reason: 'what serves has to serve again after any restart of its host' }, removes],
  },
  {
    id: '5.16',
    title: 'not among the host’s processes',
    problem: ({ spaces }) => unless(spaces.process !== 'host', 'host'),
  },
  {
    id: '5.17',
    title: 'no memory is shared with the host',
    problem: ({ spaces }) => unless(spaces.ipc !== 'host', 'host'),
  },
  { id: '5.18', title: 'no device of the host', problem: ({ devices }) => unless(devices === 0, `${devices}`) },
  {
    id: '5.19',
    title: 'limits of files and core dumps are set',
    problem: ({ ulimits }) => unless(ulimits > 0, 'none'),
  },
  {
    ...{ id: '5.20', title: 'no mount is shared with the host' },
    problem: ({ mounts }) =>
      listed(mounts.filter(({ propagation }) => /shared/.test(propagation)).map(({ source }) => source)),
  },
  { id: '5.21', title: 'a host name of its own', problem: ({ spaces }) => unless(spaces.uts !== 'host', 'host') },
  {
    ...{ id: '5.22', title: 'the seccomp profile is not switched off' },
    problem: ({ security }) => unless(!security.includes('seccomp=unconfined'), 'seccomp=unconfined'),
  },
  { id: '5.25', title: 'in the usual control group', problem: ({ cgroupParent }) => listed([cgroupParent]) },
  {
    ...{ id: '5.26', title: 'gains no privileges', field: 'noNewPrivileges' },
    problem: ({ security }) =>
      unless(
        security.some((each) => /^no-new-privileges(:true)?$/.test(each)),
        'may gain them',
      ),
  },
  {
    ...{ id: '5.27', title: 'health is checked at run time' },
    problem: ({ checked }) => unless(checked, 'not by Docker'),
    byDesign: [
      { parts: ['release', 'edge'], reason: 'Lockage asks it itself before a switch, in the watch, and for `status`' },
      removes,
    ],
  },
  { id: '5.29', title: 'the number of processes is limited', problem: ({ pids }) => unless(pids > 0, 'no limit') },
  {
    ...{ id: '5.30', title: 'not on the default bridge' },
    problem: ({ spaces }) => unless(!/^(default|bridge)$/.test(spaces.network), spaces.network),
  },
  {
    ...{ id: '5.31', title: 'not among the host’s users', byDesign: [removes] },
    problem: ({ spaces }) => unless(spaces.user !== 'host', 'host'),
  },
  {
    ...{ id: '5.32', title: 'Docker’s socket is not mounted', byDesign: [removes] },
    problem: ({ mounts }) =>
      listed(mounts.map(({ source }) => source).filter((source) => source.endsWith('docker.sock'))),
  },
];

/** The capabilities that Docker gives a container that asks for none. */
const usual = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);

/** Returns the result of each check that applies to an environment's hosts and containers, in the benchmark's order. */
export function cisResults(hosts: readonly CisHost[]): CisResult[] {
  const ofHosts = hostChecks.map(([id, title, problem]) =>
    resultOf(
      { id, title },
      hosts.flatMap((host) => finding(host.name, problem(host))),
    ),
  );
  const ofContainers = containerChecks.map((check) =>
    resultOf(
      check,
      hosts.flatMap((host) => host.containers.flatMap((each) => containerFinding(check, each, host))),
    ),
  );
  const ordered = (id: string) =>
    id
      .split('.')
      .map(Number)
      .reduce((sum, part) => sum * 100 + part, 0);
  return [...ofHosts, ...ofContainers].sort((a, b) => ordered(a.id) - ordered(b.id));
}

function containerFinding(check: ContainerCheck, container: CisContainer, host: CisHost): Finding[] {
  const { field = '', byDesign = [] } = check;
  const own = byDesign.find(({ parts }) => parts.includes(container.part))?.reason;
  const reason = oneLine(container.reasons[field]) ?? own;
  return finding(`${host.name} ${container.name}`, check.problem(container, host), reason);
}

/** A reason is what somebody wrote: of another computer, where this runs what was recorded there. */
function oneLine(text: string | undefined): string | undefined {
  return text === undefined ? undefined : printable(text.trim().replace(/\s+/g, ' '));
}

function finding(where: string, actual: string | undefined, reason?: string): Finding[] {
  return actual === undefined ? [] : [{ where, actual, reason }];
}

function resultOf({ id, title }: Pick<CisResult, 'id' | 'title'>, found: readonly Finding[]): CisResult {
  const accepted = found.every(({ reason }) => reason !== undefined);
  const result = found.length === 0 ? 'pass' : accepted ? 'accepted' : 'fail';
  const details = found.map(
    ({ where, actual, reason }) => `${where}: ${actual}${reason ? ` (chosen: ${reason})` : ''}`,
  );
  return { id, title, result, details };
}

function unless(isFine: boolean, actual: string): string | undefined {
  return isFine ? undefined : actual;
}

function listed(found: readonly string[]): string | undefined {
  const named = found.filter((each) => each !== '');
  return named.length === 0 ? undefined : named.join(', ');
}

function isSensitive(path: string): boolean {
  return path === '/' || /^\/(boot|dev|etc|lib|proc|sys|usr)(\/|$)/.test(path);
}

const isAnywhere = (address: string) => ['', '0.0.0.0', '::'].includes(address);
