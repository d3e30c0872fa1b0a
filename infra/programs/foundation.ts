import * as docker from '@pulumi/docker';
import type * as pulumi from '@pulumi/pulumi';
import type { Accessory } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { EnvironmentHost, Orchestrator } from '../../pipelines/model/target.ts';
import { ownerLabels } from '../docker/labels.ts';
import { Accessory as AccessoryResource, Edge, Foundation, Overlay, SecretFiles } from '../resources/classes.ts';
import { declarations } from '../resources/declared.ts';
import type { OverlayInputs } from '../resources/inputs.ts';
import { keepAsRecorded, type RecordedResource } from '../resources/keep-others.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';
import { networkOptions } from '../workloads/network-mtu.ts';
import { accessoryInputs, edgeInputs, imageOn } from './foundation-inputs.ts';
import type { FoundationPlan } from './foundation-plan.ts';

/**
 * Returns the Pulumi program of the foundation: on every host a network and an edge proxy, and the accessories with
 * their data.
 */
export function foundationProgram(plan: FoundationPlan): (recorded: readonly RecordedResource[]) => Promise<void> {
  return async (recorded) => {
    const { app, environment } = plan;
    const { orchestrator } = environment;
    const overlay = orchestrator ? new Overlay(overlayOf(plan, orchestrator)) : undefined;
    const done: pulumi.Resource[] = [];
    let before: Edge | undefined;
    for (const host of environment.hosts) {
      const provider = new docker.Provider(host.name, plan.engines[host.name] ?? { host: 'unix://' });
      const parts = { provider, network: overlay ?? bridgeOf(plan, host, provider) };
      // Where edges serve, the first that cannot be replaced keeps the others from being tried.
      const edge = edgeOf(plan, host, parts, plan.standing && before ? [before] : []);
      before = edge;
      const accessories = environment.accessories.filter((accessory) => accessory.host === host.name);
      done.push(edge, ...accessories.map((accessory) => accessoryOf(plan, host, accessory, parts)));
    }
    keepAccessories(plan, recorded);
    new Foundation(
      {
        app,
        environment: environment.name,
        fingerprint: plan.fingerprint,
        edges: plan.edges,
        ports: plan.ports,
        delivery: plan.delivery,
        hosts: environment.hosts,
        images: plan.images,
      },
      { dependsOn: done },
    );
  };
}

/** Declares again the accessories that the next release does without: what serves may need them until that one is recorded. */
function keepAccessories({ kept }: FoundationPlan, recorded: readonly RecordedResource[]): void {
  if (kept.length === 0) return;
  keepAsRecorded(recorded, ({ type, name }) =>
    type === 'Accessory' ? kept.includes(name) : type === 'SecretFiles' && !declarations.hasName({ type, name }),
  );
}

/** The parts of a host that its containers need. */
interface HostParts {
  readonly provider: docker.Provider;
  readonly network: pulumi.Resource;
}

function edgeOf(
  plan: FoundationPlan,
  host: EnvironmentHost,
  parts: HostParts,
  after: readonly pulumi.Resource[],
): Edge {
  const { app, environment } = plan;
  const names = environmentNames(app, environment.name);
  const live = new docker.Volume(
    `${host.name}-live`,
    { name: names.live, labels: labelList(ownerLabels(app, environment.name, 'edge')) },
    { provider: parts.provider, ...asItIs(plan, host) },
  );
  return new Edge(edgeInputs(plan, host), { dependsOn: [parts.network, live, ...after] });
}

function bridgeOf(plan: FoundationPlan, host: EnvironmentHost, provider: docker.Provider): docker.Network {
  const { app, environment } = plan;
  const { network } = environmentNames(app, environment.name);
  const labelled = labelList(ownerLabels(app, environment.name, 'network'));
  const found = plan.networks[host.name];
  const options = networkOptions(environment);
  return new docker.Network(
    `${host.name}-network`,
    { name: network, driver: 'bridge', labels: labelled, ...(options ? { options } : {}) },
    // Another MTU is refused before: a network that is there is never made again for it.
    {
      ...{ provider, ignoreChanges: ['options'], ...asItIs(plan, host) },
      ...(found === undefined ? {} : { import: found, ignoreChanges: ['*'] }),
    },
  );
}

function overlayOf({ app, environment }: FoundationPlan, host: Orchestrator): OverlayInputs {
  const options = networkOptions(environment);
  return { app, environment: environment.name, host, ...(options ? { options } : {}) };
}

function asItIs(plan: FoundationPlan, { name }: EnvironmentHost) {
  return plan.leaving.has(name) ? { ignoreChanges: ['*'] } : {};
}

function accessoryOf(
  plan: FoundationPlan,
  host: EnvironmentHost,
  accessory: Accessory,
  { provider, network }: HostParts,
): pulumi.Resource {
  const { app, environment } = plan;
  const labelled = labelList(ownerLabels(app, environment.name, 'accessory'));
  const name = accessoryName({ app, environment: environment.name, name: accessory.name });
  const volumes = Object.keys(accessory.volumes).map(
    (volume) =>
      new docker.Volume(
        `${accessory.name}-${volume}`,
        { name: `${name}-${volume}`, labels: labelled },
        // Data goes only when a person says so, never because a resource is not declared any more.
        { provider, retainOnDelete: true },
      ),
  );
  const inputs = accessoryInputs(plan, host, accessory);
  const files = inputs.secrets ? [secretFiles(plan, host, accessory, inputs.secrets.volume)] : [];
  return new AccessoryResource(inputs, { dependsOn: [network, ...volumes, ...files] });
}

/**
 * Declares the volume with an accessory's secrets, which is filled before the accessory starts. Other names of
 * secrets make another one: the accessory is replaced then anyway, and what it no longer gets is not in it.
 */
function secretFiles(plan: FoundationPlan, host: EnvironmentHost, accessory: Accessory, volume: string): SecretFiles {
  const { app, environment } = plan;
  const at = environment.secretsAt;
  const key = fingerprint({ secrets: accessory.secrets, at: at ?? 'disk' });
  const secrets = Object.fromEntries(accessory.secrets.map((secret) => [secret, plan.secretVersions[secret] ?? '']));
  return new SecretFiles(`${accessory.name}-secrets-${key}`, {
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
}

function labelList(values: Record<string, string>) {
  return Object.entries(values).map(([label, value]) => ({ label, value }));
}
