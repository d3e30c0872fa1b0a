import { neighboursOf, publishAddress, surroundingsOf } from '../../pipelines/model/container-spec.ts';
import type { Accessory, Environment } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { own } from '../../pipelines/model/own.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import { trustedProxy, type HostPorts } from '../edge/published-ports.ts';
import type { AccessoryInputs, EdgeInputs } from '../resources/inputs.ts';
import { accessoryName, accessorySpecOf } from '../workloads/foundation/accessory-container.ts';
import { edgeSpecOf } from '../workloads/foundation/edge-container.ts';
import { secretVolumeName } from '../workloads/secret-volume.ts';
import { imageKey, type FoundationPlan } from './foundation-plan.ts';

/** Returns the edge of a host, as it has to be. */
export function edgeInputs(plan: FoundationPlan, host: EnvironmentHost): EdgeInputs {
  const setting = edgeSetting(plan.app, plan.environment, host, plan.ports);
  const images = imagesOf(plan, host, plan.edgeImage);
  return {
    ...setting,
    ...images,
    host,
    spec: edgeSpecOf(images.pinned, setting),
    again: plan.delivery,
    ...(plan.leaving.has(host.name) ? { leaves: true as const } : {}),
  };
}

/** Returns what the edge of a host is made of, besides its image. */
export function edgeSetting(app: string, environment: Environment, host: EnvironmentHost, open: HostPorts) {
  const trusted = trustedProxy(environment, host);
  const ports = own(open, host.name) ?? [];
  const { limits, trustedProxies: proxies } = environment.edge ?? {};
  return {
    ...{ app, environment: environment.name, ports },
    ...(trusted === undefined ? {} : { trusted }),
    ...(proxies ? { proxies } : {}),
    ...(limits ? { limits } : {}),
  };
}

/** Returns an accessory, as it has to be. */
export function accessoryInputs(plan: FoundationPlan, host: EnvironmentHost, accessory: Accessory): AccessoryInputs {
  const { app, environment } = plan;
  const { name, command, env, port, health, memory, cpus, shmSize, ulimits, init, log } = accessory;
  const container = accessoryName({ app, environment: environment.name, name });
  const secrets = secretsOf(environment, container, accessory);
  const volumes = Object.entries(accessory.volumes).map(([volume, path]) => [`${container}-${volume}`, path]);
  const shared = environment.hosts.length > 1 && !environment.orchestrator;
  const images = imagesOf(plan, host, accessory.image);
  const setting = {
    ...{ app, environment: environment.name, host, name, env, memory },
    ...(cpus === undefined ? {} : { cpus }),
    ...(shmSize === undefined ? {} : { shmSize }),
    ...(ulimits ? { ulimits } : {}),
    ...(init === undefined ? {} : { init }),
    ...(log ? { log } : {}),
    ...surroundingsOf(accessory),
    pinned: images.pinned,
    ...(command ? { command } : {}),
    ...(secrets ? { secrets } : {}),
    volumes: Object.fromEntries(volumes) as Record<string, string>,
    ...neighbours(plan, host),
    ...(shared && port !== undefined
      ? { publish: { address: addressIn(plan, publishAddress(accessory, host)), port } }
      : {}),
    ...(health ? { health } : {}),
  };
  return { ...setting, ...images, spec: accessorySpecOf(setting), again: plan.delivery };
}

function secretsOf(environment: Environment, container: string, { secrets }: Accessory) {
  if (secrets.length === 0) return undefined;
  const key = fingerprint({ secrets, at: environment.secretsAt ?? 'disk' });
  return { volume: secretVolumeName(`${container}.${key}`), names: secrets };
}

function imagesOf(plan: FoundationPlan, host: EnvironmentHost, configured: string) {
  return { configured, pinned: plan.images[configured] ?? configured, image: imageOn(plan, host, configured) };
}

/** Returns the name by which a host has an image of the configuration. */
export function imageOn(plan: FoundationPlan, host: EnvironmentHost, image: string): string {
  return plan.held[imageKey(host.name, image)] ?? plan.images[image] ?? image;
}

function neighbours(plan: FoundationPlan, host: EnvironmentHost): Pick<AccessoryInputs, 'neighbours'> {
  const found = Object.entries(neighboursOf(plan.environment, host.name));
  if (found.length === 0) return {};
  return { neighbours: Object.fromEntries(found.map(([name, at]) => [name, addressIn(plan, at)])) };
}

/**
 * Returns the address of a host that was looked up, never all of its addresses: a database is for the environment's
 * other hosts, not for the world.
 */
function addressIn({ addresses }: FoundationPlan, host: string): string {
  const address = addresses[host];
  if (address === undefined) throw new Error(`the address of ${host} was not looked up`);
  return address;
}
