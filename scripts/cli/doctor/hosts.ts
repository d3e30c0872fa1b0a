import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineInfo } from '../../../infra/docker/api/client.ts';
import type { Connections } from '../../../infra/docker/connections.ts';
import { engineFacts } from '../../../infra/docker/engine-facts.ts';
import { diskOfEngine } from '../../../infra/edge/disk.ts';
import { mtusOf, type Mtus } from '../../../infra/hosts/mtu.ts';
import { lookAt } from '../../../infra/workloads/container/host-look.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { obstacles, oddities } from '../../../pipelines/hosts/abilities.ts';
import { expiryWarnings } from '../../../pipelines/hosts/certificates.ts';
import { diskWarnings, type Disk } from '../../../pipelines/hosts/disk.ts';
import { differencesAmong, differenceText, traitsOf } from '../../../pipelines/hosts/parity.ts';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { Trait, Traits } from '../../../pipelines/model/host-traits.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import { isSshHost, type EnvironmentHost } from '../../../pipelines/model/target.ts';
import { leastMtu } from '../../../pipelines/config/schema/files.ts';
import { bytesText } from '../../tools/format.ts';
import { bad, checking, good, warning, type Check } from '../check.ts';
import { secretChecks } from './secrets.ts';

/** The milliseconds a host has to answer: an ssh connection is made first. */
const answerTimeout = 15_000;

/** Facts that a host reports about itself. */
export interface HostCheck {
  readonly host: string;
  readonly engine: string;
  readonly api: string;
  readonly platform: string;
  readonly traits: Traits;
  readonly milliseconds: number;
  readonly info: Pick<EngineInfo, 'CgroupVersion' | 'Driver' | 'KernelVersion' | 'NCPU' | 'MemTotal' | 'Swarm'> & {
    readonly LiveRestoreEnabled?: unknown;
  };
  /** about certificates that end soon */
  readonly warnings: readonly string[];
  /** absent: no edge runs that could see it */
  readonly disk?: Disk;
}

/** Checks the hosts of an environment, all at once, and how they differ from each other. */
export async function hostChecks(
  connections: Connections,
  { app, build }: Pick<Project, 'app' | 'build'>,
  environment: Environment,
): Promise<Check[]> {
  const facts: HostCheck[] = [];
  const checks = await Promise.all(
    environment.hosts.map((host) =>
      checking(host.name, async () => {
        const found = await withTimeout(host, askHost(connections, host, environmentNames(app, environment.name).edge));
        facts.push(found);
        const { orchestrator } = environment;
        const look = await withTimeout(host, lookAt(await connections.engine(host), host, { app, environment }));
        const own = [
          ...factChecks(found),
          ...obstacles(look).map(({ text, hint }) => bad(host.name, text, hint)),
          ...oddities(look).map(({ text, hint }) => warning(host.name, text, hint)),
          ...mtuChecks(host.name, await withTimeout(host, mtusAt(connections, app, environment, host))),
          ...(await withTimeout(host, secretChecks(connections, app, environment, host))),
        ];
        if (!orchestrator) return own;
        const unfit = await runtimeOf(orchestrator).hostProblem(await connections.engine(host));
        return [...own, ...(unfit ? [bad(host.name, unfit.problem)] : [])];
      }),
    ),
  );
  return [...checks.flat(), ...parityChecks(environment.name, facts, build), ...platformChecks(build, facts)];
}

async function mtusAt(
  connections: Connections,
  app: string,
  environment: Environment,
  host: EnvironmentHost,
): Promise<Mtus | undefined> {
  if (host.kind !== 'host') return undefined;
  const { network } = environmentNames(app, environment.name);
  return mtusOf(await connections.engine(host), host, network, isSshHost(host) ? connections.link(host) : undefined);
}

/** Checks that what containers send fits through their host's interface: what does not is lost without a word, at times. */
export function mtuChecks(host: string, found: Mtus | undefined): Check[] {
  if (!found || found.network <= found.host) return [];
  const hint =
    found.host < leastMtu
      ? `Have it carry more: \`network.mtu\` does not go below ${leastMtu}.`
      : `Write \`network: { mtu: ${found.host} }\` for that environment before its first promotion; a network that is there keeps its own.`;
  const text = `packets of its containers have up to ${found.network} bytes, and its interface carries ${found.host}: long answers may hang`;
  return [warning(host, text, hint)];
}

/** Says which hosts are not asked, and why. */
export function unaskedChecks({ name, hosts }: Environment, { cordons = [] }: Ledger): Check[] {
  return hosts.flatMap((host): Check[] => {
    const cordon = cordons.find((each) => each.host === host.name);
    if (cordon) {
      const hint = `Run \`lockage host uncordon ${host.name} --env ${name}\` when it is well again.`;
      return [warning(host.name, `is not asked: cordoned by ${cordon.actor}, ${cordon.reason}`, hint)];
    }
    return host.kind === 'pending' ? [good(host.name, 'is not made yet: the next promotion makes it')] : [];
  });
}

async function withTimeout<T>(host: EnvironmentHost, asking: Promise<T>): Promise<T> {
  const answered = new AbortController();
  const late = sleep(answerTimeout, undefined, { signal: answered.signal }).then(
    () => {
      throw new LockageError(`${host.name}: does not answer within ${answerTimeout / 1000} s`, {
        hint: 'Check that the machine is up, and the network between.',
      });
    },
    // The host has answered: nothing waits for this any more.
    () => asking,
  );
  try {
    return await Promise.race([asking, late]);
  } finally {
    answered.abort();
    late.catch(() => undefined);
  }
}

async function askHost(connections: Connections, host: EnvironmentHost, edge: string): Promise<HostCheck> {
  const engine = await connections.engine(host);
  const started = performance.now();
  await engine.ping();
  const milliseconds = performance.now() - started;
  const [version, info, disk] = await Promise.all([engine.version(), engine.info(), diskOfEngine(engine, edge)]);
  const { Version, ApiVersion, Os, Arch } = version;
  const traits = traitsOf(engineFacts(version, info));
  const warnings = expiryWarnings(engine.certificates, Date.now());
  const platform = `${Os}/${Arch}`;
  const facts = { engine: Version, api: ApiVersion, platform, traits, milliseconds, info, warnings };
  return { host: host.name, ...facts, ...(disk ? { disk } : {}) };
}

/** Checks one host by itself. */
export function factChecks(found: HostCheck): Check[] {
  const { host, engine, api, platform, milliseconds, info, warnings, disk } = found;
  const { CgroupVersion: cgroup = '1', Driver: driver, NCPU: cpus, MemTotal: memory } = info;
  const summary =
    `${milliseconds.toFixed(1)} ms, Docker ${engine} (API ${api}), ${platform}, kernel ${info.KernelVersion}, ` +
    `${cpus} CPUs, ${bytesText(memory)}, cgroup v${cgroup}, ${driver}`;
  return [
    good(host, summary),
    ...(olderThan(api, '1.41')
      ? [bad(host, `Docker ${engine} is too old: it speaks API ${api}`, 'Upgrade Docker to 20.10 or newer.')]
      : []),
    ...(cgroup === '1'
      ? [warning(host, 'cgroup v1: limits are less exact', 'Start the host with systemd.unified_cgroup_hierarchy=1.')]
      : []),
    ...(driver === 'vfs'
      ? [warning(host, 'storage driver vfs copies every layer: slow, and needs much disk', 'Use overlay2.')]
      : []),
    // A swarm and live-restore exclude each other; a swarm brings its services back on other nodes.
    ...(info.LiveRestoreEnabled === false && (info.Swarm?.LocalNodeState ?? 'inactive') === 'inactive'
      ? [
          warning(
            host,
            'containers stop while its Docker is restarted',
            'Set "live-restore": true in /etc/docker/daemon.json.',
          ),
        ]
      : []),
    ...diskWarnings(disk).map((text) => warning(host, text, 'Run `lockage prune --plan` to see what may go.')),
    ...warnings.map((text) => warning(host, text, 'Have a new one issued in time; promotions are refused after it.')),
  ];
}

/** Checks that releases are built for each host, where the configuration says for what: a promotion is refused else. */
export function platformChecks(build: Platforms, facts: readonly HostCheck[]): Check[] {
  const built = platformsIn(build);
  const unfit = facts.filter(({ platform }) => !built.some((each) => `${each}/`.startsWith(`${platform}/`)));
  const hint = 'List them all in `build.platforms` of lockage.yaml, which takes the place of `build.platform`.';
  return built.length === 0
    ? []
    : unfit.map(({ host, platform }) =>
        bad(host, `runs ${platform}, and releases are built for ${built.join(', ')}`, hint),
      );
}

type Platforms = Pick<Project['build'], 'platform' | 'platforms'>;

function platformsIn({ platform, platforms }: Platforms): readonly string[] {
  return platforms ?? (platform === undefined ? [] : [platform]);
}

/** Checks that the hosts of one environment are alike: what runs on one must run on the others. */
export function parityChecks(environment: string, facts: readonly HostCheck[], build: Platforms = {}): Check[] {
  const hosts = facts
    .map(({ host, traits }) => ({ environment, host, traits }))
    .sort((a, b) => a.host.localeCompare(b.host));
  // Where it is said what releases are built for, each host is compared with that.
  const ofPlatforms: readonly Trait[] = platformsIn(build).length > 0 ? [] : ['architecture'];
  return differencesAmong(hosts, [...ofPlatforms, 'engine.minor', 'cgroup', 'storage']).map((difference) => {
    const text = `its hosts differ: ${differenceText(difference, environment)}`;
    return difference.trait === 'architecture'
      ? bad(
          environment,
          text,
          'A release is built for one platform: list all of them in `build.platforms` of lockage.yaml.',
        )
      : warning(environment, text);
  });
}

function olderThan(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
