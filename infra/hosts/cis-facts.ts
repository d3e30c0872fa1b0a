import type { CisContainer, CisHost } from '../../pipelines/inspection/cis.ts';
import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { ContainerDetails, Engine, EngineInfo } from '../docker/api/client.ts';
import { labels, reaperPart } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';

/** The environment whose containers are looked at, with what is recorded of them. */
export interface CisPlace extends Place {
  readonly containers: readonly PlacedContainer[];
  readonly isSwarm: boolean;
}

/** Asks a host for all that checks of the CIS benchmark need of its engine and of an environment's containers. */
export async function cisFacts(engine: Engine, host: Target, place: CisPlace): Promise<CisHost> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const [info, version, bridge, listed] = await Promise.all([
    engine.info(),
    engine.version(),
    engine.inspectNetwork('bridge'),
    engine.listContainers({ all: true, labels: own }),
  ]);
  const parts = ['release', 'edge', 'accessory', reaperPart];
  const lasting = listed.filter(({ Labels }) => parts.includes(Labels[labels.part] ?? ''));
  const details = await Promise.all(lasting.map(({ Id }) => engine.inspectContainer(Id)));
  return {
    ...hostFacts(info),
    name: host.name,
    needsSwarm: place.isSwarm,
    experimental: (version as { readonly Experimental?: boolean }).Experimental === true,
    // An engine may have no default bridge at all.
    bridgeOpen: bridge !== undefined && bridge.Options?.['com.docker.network.bridge.enable_icc'] !== 'false',
    containers: details.flatMap((found) => (found ? [containerFacts(found, place)] : [])),
  };
}

interface MoreInfo {
  readonly SecurityOptions?: readonly string[] | null;
  readonly LiveRestoreEnabled?: boolean;
  readonly LoggingDriver?: string;
  readonly Plugins?: { readonly Authorization?: readonly string[] | null };
  readonly RegistryConfig?: {
    readonly InsecureRegistryCIDRs?: readonly string[] | null;
    readonly IndexConfigs?: Readonly<Record<string, { readonly Name: string; readonly Secure: boolean }>>;
  };
}

function hostFacts(
  info: EngineInfo & MoreInfo,
): Pick<CisHost, 'swarm' | 'security' | 'liveRestore' | 'storage' | 'logDriver' | 'insecure' | 'authorization'> {
  const { InsecureRegistryCIDRs: ranges, IndexConfigs: indexes = {} } = info.RegistryConfig ?? {};
  const named = Object.values(indexes).filter(({ Name, Secure }) => !Secure && !isLoopback(Name));
  return {
    swarm: info.Swarm?.LocalNodeState === 'active',
    security: info.SecurityOptions ?? [],
    liveRestore: info.LiveRestoreEnabled === true,
    storage: info.Driver,
    logDriver: info.LoggingDriver ?? '',
    insecure: [...(ranges ?? []).filter((range) => !isLoopback(range)), ...named.map(({ Name }) => Name)],
    authorization: info.Plugins?.Authorization ?? [],
  };
}

function isLoopback(address: string): boolean {
  return /^(127\.|::1\/|\[::1\]|localhost(:|$))/.test(address);
}

/** An engine chooses the profile of a container when it starts it for the first time. */
function profileOf({ AppArmorProfile, State, HostConfig }: ContainerDetails): string {
  const isUnconfined = (HostConfig.SecurityOpt ?? []).some((each: string) => /^apparmor[=:]unconfined$/.test(each));
  return AppArmorProfile === '' && State.Status === 'created' && !isUnconfined ? 'docker-default' : AppArmorProfile;
}

function containerFacts(found: ContainerDetails, { containers }: CisPlace): CisContainer {
  const { HostConfig: made, Config } = found;
  const name = found.Name.replace(/^\//, '');
  const recorded = containers.find(({ spec }) => spec.name === name);
  const limits = made as { readonly PidsLimit?: number | null; readonly Ulimits?: readonly unknown[] | null };
  return {
    name,
    part: Config.Labels[labels.part] ?? '',
    user: Config.User,
    appArmor: profileOf(found),
    security: made.SecurityOpt ?? [],
    added: capabilities(made.CapAdd),
    privileged: made.Privileged === true,
    mounts: found.Mounts.map(({ Source, RW, Propagation }) => ({
      source: Source,
      writable: RW,
      propagation: Propagation,
    })),
    ports: Object.values(found.NetworkSettings.Ports ?? {})
      .flatMap((bound) => bound ?? [])
      .map(({ HostIp, HostPort }) => ({ address: HostIp, port: Number(HostPort) })),
    spaces: {
      network: made.NetworkMode ?? '',
      process: made.PidMode ?? '',
      ipc: made.IpcMode ?? '',
      uts: made.UTSMode ?? '',
      user: made.UsernsMode ?? '',
    },
    memory: made.Memory ?? 0,
    cpus: (made.NanoCpus ?? 0) || (made.CpuShares ?? 0) || (made.CpuQuota ?? 0),
    readOnly: made.ReadonlyRootfs === true,
    restart: { policy: made.RestartPolicy?.Name ?? '', most: made.RestartPolicy?.MaximumRetryCount ?? 0 },
    devices: (made.Devices ?? []).length,
    ulimits: (limits.Ulimits ?? []).length,
    cgroupParent: made.CgroupParent ?? '',
    checked: (Config.Healthcheck?.Test ?? []).some((word) => word !== 'NONE'),
    pids: limits.PidsLimit ?? 0,
    reasons: recorded?.spec.hardening.reasons ?? {},
  };
}

function capabilities(added: unknown): string[] {
  return Array.isArray(added) ? added.map(String) : [];
}
