import { posix } from 'node:path';
import { secretsPath, type ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import type { Dns, Log } from '../../../pipelines/model/environment.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { ContainerBody, ImageDetails } from '../../docker/api/client.ts';
import { ownerLabels, labels } from '../../docker/labels.ts';
import { secretVolumeName, volumeMount } from '../secret-volume.ts';

/**
 * Returns the Engine API's create request for a release container. It publishes no port (the edge owns them) and has
 * no restart policy: until it is verified nothing may bring it back by itself.
 */
export function createBody(app: string, environment: string, spec: ContainerSpec): ContainerBody {
  const { network } = environmentNames(app, environment);
  const { limits, hardening } = spec;
  return {
    Image: spec.image,
    ...(spec.command ? { Cmd: [...spec.command] } : {}),
    ...(hardening.user ? { User: hardening.user } : {}),
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    StopTimeout: Math.ceil(spec.stopGrace / 1000),
    Labels: {
      ...ownerLabels(app, environment, 'release'),
      [labels.role]: spec.role,
      [labels.release]: spec.version,
      [labels.digest]: spec.image.split('@')[1] ?? '',
      [labels.spec]: fingerprint(spec),
    },
    HostConfig: {
      NetworkMode: network,
      RestartPolicy: { Name: 'no' },
      Init: spec.init ?? true,
      ReadonlyRootfs: hardening.readOnly,
      Tmpfs: folders(hardening),
      ...(limits.shmSize === undefined ? {} : { ShmSize: limits.shmSize }),
      CapDrop: ['ALL'],
      CapAdd: [...hardening.capabilities],
      SecurityOpt: hardening.noNewPrivileges ? ['no-new-privileges'] : [],
      Memory: limits.memory,
      MemorySwap: limits.memory,
      ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
      PidsLimit: limits.pids,
      Ulimits: ulimits(limits),
      LogConfig: logConfig(limits.log, spec.log),
      ...dnsOf(spec.dns),
      Mounts: secretMounts(spec) as never,
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [spec.alias] } } },
  };
}

/**
 * How an engine brings back what has proved itself, and what has no traffic and rests. An engine that was killed stops what
 * outlived it as if a person had, and starts `unless-stopped` no more; a restart must not wake what rests.
 */
export const restartPolicies = { serves: { Name: 'always' }, rests: { Name: 'no' } } as const;

/**
 * Returns the request with a labelled mount for each volume that the image declares and nothing else is mounted at: an engine
 * makes these without a name, and nobody would know whose they are when their container was removed without them. A relative path,
 * which a mount must not have, is left to the engine.
 */
export function withNamelessVolumes(
  body: ContainerBody,
  image: Pick<ImageDetails, 'Config'> | undefined,
): ContainerBody {
  const { HostConfig: host = {}, Labels } = body;
  const owner = [labels.app, labels.environment, labels.part].map((name) => [name, Labels?.[name] ?? '']);
  const taken = [...Object.keys(host.Tmpfs ?? {}), ...(host.Mounts ?? []).map(({ Target }) => Target)].map(placeOf);
  const declared = Object.keys(image?.Config.Volumes ?? {}).filter((path) => path.startsWith('/'));
  const mounts = [...new Map(declared.map((path) => [placeOf(path), path]))]
    .filter(([place]) => !taken.includes(place))
    .map(([, path]) => ({ Type: 'volume', Target: path, VolumeOptions: { Labels: Object.fromEntries(owner) } }));
  if (mounts.length === 0) return body;
  return { ...body, HostConfig: { ...host, Mounts: [...(host.Mounts ?? []), ...mounts] as never } };
}

/** A path as the engine compares it. */
const placeOf = (path: string) => posix.resolve('/', path);

/** Returns the folders in memory: path → options of their mount. */
function folders({ tmpfs, executable = [] }: ContainerSpec['hardening']): Record<string, string> {
  const optionsOf = (path: string, bytes: number) =>
    `rw,${executable.includes(path) ? 'exec' : 'noexec'},nosuid,nodev,size=${bytes},mode=1777`;
  return Object.fromEntries(Object.entries(tmpfs).map(([path, bytes]) => [path, optionsOf(path, bytes)]));
}

/** Returns the names that lead a container to other hosts, accessories of its environment among them: name → address. */
export function extraHosts(names: Readonly<Record<string, string>> = {}): { readonly ExtraHosts?: string[] } {
  const lines = Object.entries(names).map(([name, address]) => `${name}:${address}`);
  return lines.length === 0 ? {} : { ExtraHosts: lines.sort() };
}

/** Returns the limits of a container's processes. A core file would have its secrets in it, somewhere on the host. */
export function ulimits({ files, ulimits: others = {} }: Pick<ContainerSpec['limits'], 'files' | 'ulimits'>) {
  return ulimitList({ core: { soft: 0, hard: 0 }, ...others, nofile: { soft: files, hard: files } });
}

/** Returns limits by name, as Docker's command line puts them whenever it changes a service. */
export function ulimitList(limits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>> = {}) {
  return Object.entries(limits)
    .map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }))
    .sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** Returns the way a container looks names up; nothing where its host's is meant. */
export function dnsOf({ servers = [], search = [], options = [] }: Dns = {}) {
  return {
    ...(servers.length === 0 ? {} : { Dns: [...servers] }),
    ...(search.length === 0 ? {} : { DnsSearch: [...search] }),
    ...(options.length === 0 ? {} : { DnsOptions: [...options] }),
  };
}

/** Returns the log driver; by default Docker's own rotating one, in three files of a third each. */
export function logConfig(bytes: number, log?: Log) {
  if (log) return 'options' in log ? { Type: log.driver, Config: { ...log.options } } : undefined;
  return { Type: 'json-file', Config: { 'max-size': `${Math.max(1, Math.floor(bytes / 3))}`, 'max-file': '3' } };
}

function secretMounts(spec: ContainerSpec) {
  if (Object.keys(spec.secrets).length === 0) return [];
  return [{ ...volumeMount(secretVolumeName(spec.name), secretsPath), ReadOnly: true }];
}
