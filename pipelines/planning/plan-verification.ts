import { roleContainers, type SpecInputs } from '../model/container-spec.ts';
import type { PlacedJob } from '../model/desired-state.ts';
import type { Environment, Role } from '../model/environment.ts';
import { environmentNames } from '../model/names.ts';
import type { EnvironmentHost } from '../model/target.ts';
import { definitionOf, jobRoleStart, type VerificationJob } from '../model/verification.ts';

/** The user of a job in an image that is not the release's, where roles have none that is configured: nobody. */
const nobody = '65534:65534';
/** Milliseconds between TERM and KILL: a job has nothing to finish. */
const stopGrace = 1000;

/** Everything that the containers of jobs follow from. */
export interface JobsInputs extends SpecInputs {
  /** of the operation that runs them: their names follow from it */
  readonly operation: string;
}

/**
 * Plans the jobs that are run against an environment: each in a container that is closed in as the first role is, on the
 * first host where visitors come, and reaches that by the edge's own name. Images are still as they are configured.
 */
export function planJobs(inputs: JobsInputs): readonly PlacedJob[] {
  const { environment } = inputs;
  const host = hostOf(environment);
  const [first] = environment.roles;
  if (!host || !first) return [];
  return (environment.verification ?? []).flatMap((job) => {
    const [like] = roleContainers(inputs, jobRole(first, job, host), host);
    if (!like) return [];
    const { network } = environmentNames(inputs.app, environment.name);
    const name = `${network}-verify-${job.name}-${inputs.operation}`;
    const spec = {
      ...like,
      ...{ name, alias: name, host: host.name, image: job.image ?? like.image },
      env: { ...like.env, ...addressesOf(inputs, host) },
    };
    const { timeout, retries } = job;
    return [{ host, spec, job: job.name, definition: definitionOf(job), timeout, retries }];
  });
}

/** Returns the first host with an edge that visitors come to; one on a swarm serves them all. */
function hostOf({ hosts, roles, orchestrator }: Environment): EnvironmentHost | undefined {
  if (orchestrator) return hosts[0];
  const served = roles.find(({ route }) => route)?.hosts ?? [];
  return hosts.find(({ name }) => served.includes(name)) ?? hosts[0];
}

function jobRole(first: Role, job: VerificationJob, host: EnvironmentHost): Role {
  const { route: _, log: __, ...role } = first;
  const { hardening } = role;
  const user = job.image === undefined ? {} : { user: hardening.user ?? nobody };
  return {
    ...role,
    name: `${jobRoleStart}${job.name}`,
    command: job.command,
    count: 1,
    hosts: [host.name],
    env: job.env,
    secrets: job.secrets,
    health: { check: { kind: 'running', for: 0 }, interval: 0, healthy: 1, timeout: job.timeout },
    hardening: { ...hardening, ...user },
    stopGrace,
  };
}

/**
 * Returns the variables that lead to what visitors reach: `LOCKAGE_URL` to the first public port, `LOCKAGE_URL_WEB` to that of role
 * `web`, and `LOCKAGE_URLS` to the first of every host, with spaces between.
 */
function addressesOf({ app, environment }: JobsInputs, host: EnvironmentHost): Record<string, string> {
  const { edge } = environmentNames(app, environment.name);
  const routed = environment.roles.flatMap(({ name, route, hosts }) => (route ? [{ name, hosts, ...route }] : []));
  const [first] = routed;
  if (!first) return {};
  const here = (port: number) => `http://${edge}:${port}`;
  const served = environment.hosts.filter(({ name }) => environment.orchestrator ?? first.hosts.includes(name));
  return {
    LOCKAGE_URL: here(first.publish),
    LOCKAGE_URLS: served
      .map(({ name, address }) => (name === host.name ? here(first.publish) : `http://${address}:${first.publish}`))
      .join(' '),
    ...Object.fromEntries(
      routed
        .filter(({ hosts }) => environment.orchestrator ?? hosts.includes(host.name))
        .map(({ name, publish }) => [`LOCKAGE_URL_${name.toUpperCase().replaceAll('-', '_')}`, here(publish)]),
    ),
  };
}

/** Returns jobs whose images have the names that hosts have them by: as configured → name. */
export function withImages(jobs: readonly PlacedJob[], images: Readonly<Record<string, string>>): readonly PlacedJob[] {
  return jobs.map((job) => ({ ...job, spec: { ...job.spec, image: images[job.spec.image] ?? job.spec.image } }));
}

/** Returns the images that jobs name themselves. */
export function imagesOf({ verification = [] }: Pick<Environment, 'verification'>): readonly string[] {
  return [...new Set(verification.flatMap(({ image }) => image ?? []))];
}
