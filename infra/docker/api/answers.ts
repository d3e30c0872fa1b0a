import { anything, flag, like, list, map, maybe, number, or, record, text, type Shape } from '../../system/shapes.ts';

/*
 * What engines answer, as far as it is read here (https://docs.docker.com/reference/api/engine/). Something else may listen there, or
 * stand in between, and a container's labels and names are anybody's.
 */

const texts = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, maybe(text)]));
const textLists = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, maybe(list(text))]));
const numbers = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, maybe(number)]));
const flags = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, maybe(flag)]));
const labels = or(map(text), {});

const mount = record(texts('Type', 'Name', 'Source', 'Target', 'Driver'));
const mounted = record({ ...texts('Type', 'Name', 'Driver'), Source: or(text, ''), Destination: or(text, '') });
const bindings = maybe(map(maybe(list(record(texts('HostIp', 'HostPort'))))));

// It is part of every path from then on.
const apiVersion = like(/^\d{1,4}\.\d{1,4}$/, 'version of the API');
const version = record({
  ...{ ApiVersion: apiVersion, MinAPIVersion: maybe(apiVersion), Version: or(text, '') },
  ...texts('Os', 'Arch', 'KernelVersion'),
});

const info = record({
  ...texts(
    'ID',
    'OSType',
    'OperatingSystem',
    'SystemTime',
    'KernelVersion',
    'DockerRootDir',
    'Driver',
    'CgroupVersion',
  ),
  ...numbers('NCPU', 'MemTotal'),
  Swarm: maybe(
    record({
      ...{ NodeID: or(text, ''), LocalNodeState: or(text, 'inactive'), Error: or(text, '') },
      ControlAvailable: or(flag, false),
      Cluster: maybe(record({ ID: or(text, '') })),
    }),
  ),
});

const container = record({
  ...{ Id: or(text, ''), Names: or(list(text), []), Image: or(text, ''), State: or(text, ''), Status: or(text, '') },
  ...{ Created: or(number, 0), Labels: labels, Mounts: or(list(mounted), []) },
  Ports: or(list(record({ ...numbers('PublicPort', 'PrivatePort'), ...texts('IP', 'Type') })), []),
  NetworkSettings: or(record({ Networks: or(map(maybe(anything)), {}) }), {}),
  ...texts('ImageID', 'Command'),
});

const restart = maybe(record({ ...texts('Name'), ...numbers('MaximumRetryCount') }));
const hostConfig = record({
  ...textLists(
    'CapAdd',
    'CapDrop',
    'SecurityOpt',
    'Binds',
    'ExtraHosts',
    'Dns',
    'DnsSearch',
    'DnsOptions',
    'VolumesFrom',
  ),
  ...numbers('Memory', 'MemorySwap', 'NanoCpus', 'PidsLimit', 'ShmSize'),
  ...flags('ReadonlyRootfs', 'Privileged', 'Init', 'AutoRemove'),
  ...texts('NetworkMode', 'UsernsMode', 'PidMode', 'IpcMode'),
  ...{ RestartPolicy: restart, PortBindings: bindings, Tmpfs: maybe(map(text)), Mounts: maybe(list(mount)) },
  Ulimits: maybe(list(record({ ...texts('Name'), ...numbers('Soft', 'Hard') }))),
  LogConfig: maybe(record({ ...texts('Type'), Config: maybe(map(text)) })),
});

const health = maybe(
  record({ ...texts('Status'), Log: maybe(list(record({ ...texts('Output'), ...numbers('ExitCode') }))) }),
);
const config = record({
  ...{ Labels: labels, Env: or(list(text), []), Image: or(text, ''), Tty: or(flag, false) },
  ...textLists('Cmd', 'Entrypoint'),
  ...texts('User', 'StopSignal', 'WorkingDir'),
  ...{ StopTimeout: maybe(number), Volumes: maybe(map(anything)), ExposedPorts: maybe(map(anything)) },
  Healthcheck: maybe(record(textLists('Test'))),
});

const details = record({
  ...{ Id: or(text, ''), Name: or(text, ''), Image: or(text, ''), RestartCount: or(number, 0), Created: maybe(text) },
  State: or(
    record({
      ...{ Status: or(text, ''), StartedAt: or(text, ''), FinishedAt: or(text, ''), ExitCode: or(number, 0) },
      ...{ Running: or(flag, false), Restarting: or(flag, false), Paused: or(flag, false), Health: health },
      ...flags('OOMKilled', 'Dead'),
      ...texts('Error'),
    }),
    {},
  ),
  ...{ Config: or(config, {}), HostConfig: or(hostConfig, {}), Mounts: or(list(mounted), []) },
  NetworkSettings: or(
    record({
      Networks: or(
        map(record({ ...texts('IPAddress', 'NetworkID', 'Gateway'), ...textLists('Aliases', 'DNSNames') })),
        {},
      ),
      Ports: bindings,
    }),
    {},
  ),
});

const imageNames = textLists('RepoTags', 'RepoDigests');
const image = record({
  ...{ Id: or(text, ''), ...imageNames, Size: maybe(number), ...texts('Os', 'Architecture', 'Variant') },
  Config: or(
    record({
      ...{ Volumes: maybe(map(anything)), Labels: maybe(map(text)), ExposedPorts: maybe(map(anything)) },
      ...textLists('Env', 'Cmd', 'Entrypoint'),
      ...texts('User', 'StopSignal', 'WorkingDir'),
    }),
    {},
  ),
  RootFS: or(record({ Layers: or(list(text), []) }), {}),
});
const listedImage = record({ Id: or(text, ''), Size: or(number, 0), ...imageNames });

const network = record({
  ...{ Id: or(text, ''), Name: or(text, ''), Labels: labels, Options: maybe(map(text)) },
  ...texts('Scope', 'Driver', 'Created'),
  ...flags('Internal', 'EnableIPv6', 'Attachable', 'Ingress'),
  IPAM: maybe(record({ Config: maybe(list(record(texts('Subnet', 'Gateway')))) })),
  Containers: maybe(map(record(texts('Name', 'IPv4Address')))),
});

const volume = record({
  ...{
    Name: or(text, ''),
    Labels: maybe(map(text)),
    Options: maybe(map(text)),
    UsageData: maybe(record({ Size: or(number, -1) })),
  },
  ...texts('CreatedAt', 'Driver', 'Mountpoint', 'Scope'),
});

const diskUse = record({
  LayersSize: maybe(number),
  Images: maybe(list(listedImage)),
  Volumes: maybe(list(volume)),
});

const service = record({
  ...{ ID: or(text, ''), Version: or(record({ Index: or(number, 0) }), {}), CreatedAt: or(text, '') },
  Spec: record({
    ...{ Name: or(text, ''), Labels: labels, Mode: or(record({}), {}), EndpointSpec: or(record({}), {}) },
    TaskTemplate: or(record({}), {}),
  }),
});
const task = record({
  ...{ ID: or(text, ''), ServiceID: or(text, ''), NodeID: maybe(text), DesiredState: or(text, '') },
  Spec: or(record({ ContainerSpec: maybe(record({ Image: or(text, '') })) }), {}),
  Status: or(
    record({
      ...{ State: or(text, ''), Timestamp: or(text, ''), Err: maybe(text) },
      ContainerStatus: maybe(record(texts('ContainerID'))),
    }),
    {},
  ),
  NetworksAttachments: maybe(list(record(textLists('Addresses')))),
});
const platform = or(record({ OS: or(text, ''), Architecture: or(text, '') }), {});
const node = record({
  ID: or(text, ''),
  Spec: or(record({ Role: or(text, ''), Availability: or(text, '') }), {}),
  Description: or(record({ Hostname: or(text, ''), Platform: platform }), {}),
  Status: or(record({ State: or(text, '') }), {}),
});

/** The shapes of answers, by what is asked for. */
export const answers = {
  ...{ version, info, container, details, image, listedImage, network, volume, diskUse, service, task, node },
  created: record({ Id: text }),
  createdInSwarm: record({ ID: text }),
  volumes: record({ Volumes: maybe(list(volume)) }),
  changes: maybe(list(record({ Path: text, Kind: number }))),
  waited: record({ StatusCode: number }),
  command: record({ Running: or(flag, false), ExitCode: maybe(number) }),
  pathStat: record(texts('linkTarget')),
  secret: record({ ID: text, Spec: record({ Name: or(text, ''), Labels: maybe(map(text)) }) }),
} satisfies Record<string, Shape>;
