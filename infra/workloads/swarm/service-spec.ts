import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { ServiceSpec } from '../../docker/api/types.ts';
import { labels, ownerLabels } from '../../docker/labels.ts';
import type { Place } from '../../resources/inputs.ts';
import { logConfig, ulimits } from '../container/create-request.ts';

/** The label in which a service carries its own specification, so that a change by hand shows without any record. */
export const askedLabel = 'lockage.asked';

const nanoseconds = 1e6;

/**
 * Returns the Engine API's request for a release's role on a swarm. It publishes no port (the edges own them) and its
 * name leads to its containers themselves (dnsrr). `secretIds`: secret name → the swarm's id.
 *
 * Swarm restarts a container that ends, also before it is verified: it has no policy that could be changed later, as a
 * change of it replaces every container. So it waits five seconds first, in which verification and watch see that
 * something ended.
 */
export function serviceSpec(
  place: Place,
  spec: ContainerSpec,
  secretIds: Readonly<Record<string, string>> = {},
): ServiceSpec {
  const asked = askedSpec(place, spec);
  const { network } = environmentNames(place.app, place.environment);
  const { ContainerSpec } = asked.TaskTemplate;
  const secrets = ContainerSpec.Secrets.map((secret) => ({ ...secret, SecretID: secretIds[secret.File.Name] }));
  return {
    Name: spec.name,
    Labels: {
      ...ownerLabels(place.app, place.environment, 'release'),
      [labels.role]: spec.role,
      [labels.release]: spec.version,
      [labels.digest]: spec.image.split('@')[1] ?? '',
      [labels.spec]: fingerprint(spec),
      [askedLabel]: JSON.stringify(asked),
    },
    ...asked,
    TaskTemplate: {
      ...asked.TaskTemplate,
      ContainerSpec: { ...ContainerSpec, Secrets: secrets },
      Networks: [{ Target: network }],
    },
  };
}

/** Returns the part of the request that a service is known by, without what the swarm writes in its own way. */
function askedSpec(place: Place, spec: ContainerSpec) {
  const { memory, cpus, pids } = spec.limits;
  const limits = {
    MemoryBytes: memory,
    ...(cpus === undefined ? {} : { NanoCPUs: Math.round(cpus * 1e9) }),
    Pids: pids,
  };
  return {
    TaskTemplate: {
      ContainerSpec: containerSpec(place, spec),
      Resources: { Limits: limits },
      RestartPolicy: { Condition: 'any', Delay: 5000 * nanoseconds, MaxAttempts: 0 },
      Placement: { Constraints: [] },
      ...driverOf(spec),
      // Only the count: the swarm writes its own id in place of the name.
      Networks: [{}],
      ForceUpdate: 0,
    },
    Mode: { Replicated: { Replicas: spec.replicas ?? 1 } },
    EndpointSpec: { Mode: 'dnsrr', Ports: [] },
  };
}

function containerSpec(place: Place, spec: ContainerSpec) {
  const { hardening, limits } = spec;
  const env = Object.entries(spec.env).map(([name, value]) => `${name}=${literal(value)}`);
  return {
    Image: spec.image,
    Command: [],
    Args: spec.command ?? [],
    Env: [...env.filter((line) => !line.startsWith('LOCKAGE_HOST=')), 'LOCKAGE_HOST={{.Node.Hostname}}'],
    User: hardening.user ?? '',
    Init: spec.init ?? true,
    ReadOnly: hardening.readOnly,
    CapabilityDrop: ['ALL'],
    CapabilityAdd: [...hardening.capabilities].sort(),
    Ulimits: ulimits(limits),
    ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    StopGracePeriod: spec.stopGrace * nanoseconds,
    // A service has no other way to the size of its shared memory.
    Mounts: Object.entries({
      ...hardening.tmpfs,
      ...(limits.shmSize === undefined ? {} : { '/dev/shm': limits.shmSize }),
    }).map(([Target, SizeBytes]) => ({
      Type: 'tmpfs',
      Target,
      TmpfsOptions: { SizeBytes, Mode: 0o1777 },
    })),
    Secrets: Object.entries(spec.secrets).map(([name, version]) => ({
      File: { Name: name, UID: '0', GID: '0', Mode: 0o444 },
      SecretName: secretName(place, name, version),
    })),
    Healthcheck: healthcheck(spec),
    ...namesOf(spec),
  };
}

/** A swarm writes hosts as the file does: the address first. */
function namesOf({ extraHosts = {}, dns }: ContainerSpec) {
  const hosts = Object.entries(extraHosts).map(([name, address]) => `${address} ${name}`);
  const { servers = [], search = [], options = [] } = dns ?? {};
  return {
    ...(hosts.length === 0 ? {} : { Hosts: hosts.sort() }),
    ...(dns ? { DNSConfig: { Nameservers: [...servers], Search: [...search], Options: [...options] } } : {}),
  };
}

/** Escapes `{{`, which Swarm reads in a variable as the beginning of a template. */
function literal(value: string): string {
  return value.replaceAll('{{', '{{"{{"}}');
}

function driverOf(spec: ContainerSpec) {
  const made = logConfig(spec.limits.log, spec.log);
  return made ? { LogDriver: { Name: made.Type, Options: made.Config } } : {};
}

/**
 * Returns the health check for the engine. Only the engine of the node can run a command, so it gets that check, and
 * reports the container as running once it succeeded. Every other check goes over the network; the image's own check
 * would only delay it.
 */
function healthcheck({ health }: ContainerSpec) {
  const { check, timeout } = health;
  if (check.kind !== 'command') return { Test: ['NONE'] };
  // It runs as long as the service lives, so less often than a verification.
  const interval = Math.max(health.interval, 3000);
  return {
    Test: ['CMD', ...check.command],
    Interval: interval * nanoseconds,
    Timeout: Math.min(timeout, 30_000) * nanoseconds,
    Retries: Math.max(1, Math.ceil(timeout / interval)),
  };
}

/**
 * Returns the name of a secret's version in the swarm: a secret never changes there, so another value is another
 * secret.
 */
export function secretName(place: Place, name: string, version: string): string {
  const full = `${place.app}-${place.environment}-${name}-${version}`;
  // Docker allows 64 characters.
  return full.length <= 64 ? full : `${full.slice(0, 55)}-${fingerprint(full)}`;
}
