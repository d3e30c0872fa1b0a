import * as docker from '@pulumi/docker';
import type * as pulumi from '@pulumi/pulumi';
import { secretsPath } from '../../pipelines/model/container-spec.ts';
import type { Accessory, Environment } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import { labels, ownerLabels } from '../docker/labels.ts';
import { caddyConfig } from '../edge/caddy-config.ts';
import { trustedProxy, publishedPorts } from '../edge/published-ports.ts';
import { edgeScript } from '../edge/script.ts';
import { Foundation, Overlay, SecretFiles } from '../resources/classes.ts';
import { secretVolumeName } from '../workloads/secret-volume.ts';
import { imageKey, type FoundationPlan } from './foundation-plan.ts';

/** The Pulumi program of the foundation: on every host a network and an edge proxy, and the accessories with their data. */
export function foundationProgram(plan: FoundationPlan): () => Promise<void> {
  return async () => {
    const { app, environment } = plan;
    const { orchestrator } = environment;
    const overlay = orchestrator ? new Overlay({ app, environment: environment.name, host: orchestrator }) : undefined;
    const done = environment.hosts.flatMap((host) => {
      const provider = new docker.Provider(host.name, plan.engines[host.name] ?? { host: 'unix://' });
      const { edge, network } = hostParts(plan, host, provider, overlay);
      const neighbours = environment.accessories
        .filter((accessory) => accessory.host === host.name)
        .map((accessory) => accessoryParts(plan, host, accessory, { provider, network, overlay }));
      return [edge, ...neighbours];
    });
    new Foundation(
      {
        app,
        environment: environment.name,
        fingerprint: plan.fingerprint,
        edges: plan.edges,
        delivery: plan.delivery,
        hosts: environment.hosts,
        images: plan.images,
      },
      { dependsOn: done },
    );
  };
}

function hostParts(
  plan: FoundationPlan,
  host: EnvironmentHost,
  provider: docker.Provider,
  overlay: Overlay | undefined,
) {
  const { app, environment } = plan;
  const names = environmentNames(app, environment.name);
  const asItIs = plan.leaving.has(host.name) ? { ignoreChanges: ['*'] } : {};
  const options = { provider, ...(overlay ? { dependsOn: [overlay] } : {}), ...asItIs };
  const network = overlay ? names.network : bridgeOf(plan, host, options).name;
  const live = new docker.Volume(
    `${host.name}-live`,
    { name: names.live, labels: labelList(ownerLabels(app, environment.name, 'edge')) },
    options,
  );
  const { ports, entrypoint, env } = edgeProcess(environment, host);
  const edge = new docker.Container(
    `${host.name}-edge`,
    {
      name: names.edge,
      image: imageOn(plan, host, plan.edgeImage),
      entrypoints: entrypoint,
      envs: env,
      ports: ports.map((port) => ({ internal: port, external: port })),
      volumes: [{ volumeName: live.name, containerPath: '/live' }],
      networksAdvanced: [{ name: network, aliases: ['edge'] }],
      labels: labelList(ownerLabels(app, environment.name, 'edge')),
      ...hardened({ memory: 256, cpus: 1, capabilities: ['CAP_NET_BIND_SERVICE'], tmpfs: { '/tmp': 'rw,size=16m' } }),
      restart: 'unless-stopped',
      init: true,
      mustRun: true,
      destroyGraceSeconds: 5,
    },
    { ...options, deleteBeforeReplace: true },
  );
  return { edge, network };
}

function bridgeOf({ app, environment }: FoundationPlan, host: EnvironmentHost, options: pulumi.CustomResourceOptions) {
  const { network } = environmentNames(app, environment.name);
  const labelled = labelList(ownerLabels(app, environment.name, 'network'));
  return new docker.Network(`${host.name}-network`, { name: network, driver: 'bridge', labels: labelled }, options);
}

function accessoryParts(
  plan: FoundationPlan,
  host: EnvironmentHost,
  accessory: Accessory,
  parts: { provider: docker.Provider; network: pulumi.Input<string>; overlay: Overlay | undefined },
): pulumi.Resource {
  const { app, environment } = plan;
  const name = `${app}-${environment.name}-${accessory.name}`;
  const options = { provider: parts.provider };
  const volumes = Object.entries(accessory.volumes).map(([volume, containerPath]) => {
    const labelled = labelList(ownerLabels(app, environment.name, 'accessory'));
    const created = new docker.Volume(
      `${accessory.name}-${volume}`,
      { name: `${name}-${volume}`, labels: labelled },
      // Data goes only when a person says so, never because a resource is not declared any more.
      { ...options, retainOnDelete: true },
    );
    return { volumeName: created.name, containerPath };
  });
  const files = secretFiles(plan, host, accessory);
  const shared = environment.hosts.length > 1 && !environment.orchestrator && accessory.port !== undefined;
  return new docker.Container(
    accessory.name,
    {
      name,
      image: imageOn(plan, host, accessory.image),
      ...(accessory.command ? { command: [...accessory.command] } : {}),
      envs: [
        ...Object.entries(accessory.env).map(([key, value]) => `${key}=${value}`),
        ...accessory.secrets.map((secret) => `${secret}_FILE=${secretsPath}/${secret}`),
      ],
      ...(shared ? { ports: [{ internal: accessory.port, external: accessory.port, ip: addressToBind(host) }] } : {}),
      volumes: [
        ...volumes,
        ...files.map(({ volume }) => ({ volumeName: volume, containerPath: secretsPath, readOnly: true })),
      ],
      networksAdvanced: [{ name: parts.network, aliases: [accessory.name] }],
      labels: labelList({ ...ownerLabels(app, environment.name, 'accessory'), [labels.role]: accessory.name }),
      memory: megabytes(accessory.memory),
      memorySwap: megabytes(accessory.memory),
      ...(accessory.cpus === undefined ? {} : { cpus: decimal(accessory.cpus) }),
      ...(accessory.shmSize === undefined ? {} : { shmSize: megabytes(accessory.shmSize) }),
      ...(accessory.init === undefined ? {} : { init: accessory.init }),
      ...logSettings(accessory),
      securityOpts: ['no-new-privileges'],
      restart: 'unless-stopped',
      mustRun: true,
      destroyGraceSeconds: 30,
      ...(accessory.health ? healthcheck(accessory.health) : {}),
    },
    {
      ...options,
      dependsOn: [...files.map(({ resource }) => resource), ...(parts.overlay ? [parts.overlay] : [])],
      deleteBeforeReplace: true,
    },
  );
}

/**
 * The volume with an accessory's secrets, which is filled before the accessory starts. Other names of secrets make another
 * one: the accessory is replaced then anyway, and what it no longer gets is not in it. Without a dependency on the edge:
 * one that is replaced would take the accessory with it.
 */
function secretFiles(plan: FoundationPlan, host: EnvironmentHost, accessory: Accessory) {
  if (accessory.secrets.length === 0) return [];
  const { app, environment } = plan;
  const at = environment.secretsAt;
  const key = fingerprint({ secrets: accessory.secrets, at: at ?? 'disk' });
  const volume = secretVolumeName(`${app}-${environment.name}-${accessory.name}.${key}`);
  const secrets = Object.fromEntries(accessory.secrets.map((secret) => [secret, plan.secretVersions[secret] ?? '']));
  const resource = new SecretFiles(`${accessory.name}-secrets-${key}`, {
    app,
    environment: environment.name,
    host,
    volume,
    image: imageOn(plan, host, accessory.image),
    ...(accessory.secretsOwner === undefined ? {} : { user: accessory.secretsOwner }),
    ...(at === undefined ? {} : { at }),
    delivery: plan.delivery,
    secrets,
  });
  return [{ volume, resource }];
}

/**
 * An upload would need a writable root file system, so the edge's own two files come in its environment and are written
 * to its volume. They are Lockage's, nothing of a user's is in them.
 */
const edgeStart =
  'printf %s "$EDGE_SCRIPT" > /live/edge.sh; printf %s "$EDGE_CONFIG" > /live/caddy.json; exec sh /live/edge.sh run';

/** Returns how the edge of a host is started, and the ports that it listens on and publishes. */
export function edgeProcess(environment: Environment, host: EnvironmentHost) {
  const ports = publishedPorts(environment, host);
  const config = caddyConfig(ports, trustedProxy(environment, host));
  return {
    ports,
    entrypoint: ['sh', '-c', edgeStart],
    env: [`EDGE_SCRIPT=${edgeScript}`, `EDGE_CONFIG=${config}`, `EDGE_PORTS=${ports.join(' ')}`],
  };
}

/** Returns the name by which a host has an image of the configuration. */
export function imageOn(plan: FoundationPlan, host: EnvironmentHost, image: string): string {
  return plan.held[imageKey(host.name, image)] ?? plan.images[image] ?? image;
}

/** Never on all addresses of a host: a database is for the environment's other hosts, not for the world. */
function addressToBind(host: EnvironmentHost): string {
  return /^\d+(\.\d+){3}$/.test(host.address) ? host.address : '127.0.0.1';
}

function healthcheck(health: NonNullable<Accessory['health']>) {
  return {
    // Asked for as long as the accessory lives, so not more often than a person who waits for the first answer needs.
    healthcheck: { tests: ['CMD', ...health.command], interval: '3s', timeout: '5s', retries: 40 },
    wait: true,
    waitTimeout: Math.ceil(health.timeout / 1000),
  };
}

function logSettings({ log }: Accessory) {
  if (!log) return { logDriver: 'json-file', logOpts: { 'max-size': '10m', 'max-file': '3' } };
  return 'options' in log ? { logDriver: log.driver, logOpts: { ...log.options } } : {};
}

function hardened(limits: { memory: number; cpus: number; capabilities: string[]; tmpfs: Record<string, string> }) {
  return {
    readOnly: true,
    tmpfs: limits.tmpfs,
    capabilities: { drops: ['ALL'], adds: limits.capabilities },
    securityOpts: ['no-new-privileges'],
    memory: limits.memory,
    memorySwap: limits.memory,
    cpus: decimal(limits.cpus),
    logDriver: 'json-file',
    logOpts: { 'max-size': '10m', 'max-file': '3' },
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** As the plugin reads it back: `1` would show as a change of `1.0`, and a change of it replaces the container. */
function decimal(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function labelList(values: Record<string, string>) {
  return Object.entries(values).map(([label, value]) => ({ label, value }));
}
