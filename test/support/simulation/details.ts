import type { SimulatedContainer, SimulatedMount } from './container.ts';

/** Returns what `docker inspect` says of a container. */
export function containerDetails(container: SimulatedContainer) {
  const { id, name, image, restarts, createdAt } = container;
  return {
    Id: id,
    Name: `/${name}`,
    Created: new Date(createdAt).toISOString(),
    Image: image.id,
    RestartCount: restarts,
    State: stateOf(container),
    Config: configOf(container),
    HostConfig: hostConfigOf(container),
    Mounts: container.mounts.map(mountOf),
    NetworkSettings: { Networks: networksOf(container) },
  };
}

/** Returns what a list of containers says of one. */
export function containerSummary(container: SimulatedContainer) {
  const { id, name, body, image, createdAt } = container;
  return {
    Id: id,
    Names: [`/${name}`],
    Image: body.Image ?? '',
    ImageID: image.id,
    Created: Math.floor(createdAt / 1000),
    Ports: container.isRunning ? portsOf(container) : [],
    Labels: labelsOf(container),
    State: container.isPaused ? 'paused' : container.status,
    HostConfig: { NetworkMode: hostConfigOf(container).NetworkMode },
    NetworkSettings: { Networks: networksOf(container) },
    Mounts: container.mounts.map(mountOf),
  };
}

function stateOf(container: SimulatedContainer) {
  const { status, isRunning, isPaused, exitCode, startedAt, finishedAt } = container;
  return {
    Status: isPaused ? 'paused' : status,
    Running: isRunning || status === 'restarting',
    Paused: isPaused,
    Restarting: status === 'restarting',
    OOMKilled: false,
    Dead: false,
    Pid: isRunning ? (container.process?.pid ?? 1) : 0,
    ExitCode: exitCode,
    Error: '',
    StartedAt: startedAt,
    FinishedAt: finishedAt,
  };
}

/** Some of what a request does not say comes from the image. */
function configOf(container: SimulatedContainer) {
  const { HostConfig: _, NetworkingConfig: __, ...asked } = container.body;
  const { config } = container.image;
  const entrypoint = asked.Entrypoint ?? config['Entrypoint'] ?? null;
  const command = asked.Cmd ?? (asked.Entrypoint ? null : (config['Cmd'] ?? null));
  const inherited = Object.fromEntries(
    ['User', 'WorkingDir', 'StopSignal', 'Healthcheck'].map((key) => [key, config[key]]),
  );
  const set = Object.fromEntries(Object.entries(inherited).filter(([, value]) => value !== undefined));
  return {
    ...{ Hostname: container.id.slice(0, 12), Tty: false, ...set, ...asked },
    Entrypoint: entrypoint,
    Cmd: command,
    Labels: labelsOf(container),
    Env: variablesOf(container),
  };
}

/** Returns the labels of a container, with those of its image. */
export function labelsOf({ body, image }: SimulatedContainer): Record<string, string> {
  return { ...(image.config['Labels'] as Record<string, string> | undefined), ...body.Labels };
}

/** Returns the variables of a container, with those of its image. */
export function variablesOf({ body, image }: SimulatedContainer): string[] {
  const own = body.Env ?? [];
  const names = new Set(own.map((line) => line.split('=')[0]));
  const others = ((image.config['Env'] ?? []) as readonly string[]).filter((line) => !names.has(line.split('=')[0]));
  return [...own, ...others];
}

function hostConfigOf({ body }: SimulatedContainer) {
  const { RestartPolicy: policy, ...asked } = body.HostConfig ?? {};
  return {
    ...{ NetworkMode: 'bridge', IpcMode: 'private', ShmSize: 64 * 2 ** 20, PortBindings: {} },
    ...{ LogConfig: { Type: 'json-file', Config: {} } },
    ...asked,
    RestartPolicy: { MaximumRetryCount: 0, ...policy, Name: policy?.Name ?? 'no' },
  };
}

function mountOf({ volume, target, readOnly }: SimulatedMount) {
  return {
    Type: 'volume',
    Name: volume,
    Source: `/var/lib/docker/volumes/${volume}/_data`,
    Destination: target,
    Driver: 'local',
    Mode: 'z',
    RW: !readOnly,
    Propagation: '',
  };
}

function networksOf({ networks, address, isRunning }: SimulatedContainer) {
  return Object.fromEntries(
    Object.entries(networks).map(([name, aliases]) => [
      name,
      { NetworkID: name, IPAddress: isRunning ? address : '', Aliases: aliases.length === 0 ? null : aliases },
    ]),
  );
}

/** Returns the ports of the host that lead into a container. */
export function publishedPorts({ body }: SimulatedContainer): { readonly inside: number; readonly outside: number }[] {
  const bindings = (body.HostConfig?.PortBindings ?? {}) as Record<string, { HostPort?: string }[]>;
  return Object.entries(bindings).flatMap(([port, all]) =>
    all.map(({ HostPort: outside = '' }) => ({ inside: Number.parseInt(port, 10), outside: Number(outside) })),
  );
}

function portsOf(container: SimulatedContainer) {
  return publishedPorts(container).map(({ inside, outside }) => ({
    IP: '0.0.0.0',
    PrivatePort: inside,
    PublicPort: outside,
    Type: 'tcp',
  }));
}
