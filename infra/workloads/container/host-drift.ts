import type { Drift } from '../../../pipelines/inspection/drift.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type { CallOptions, ContainerBody, ContainerSummary, Engine, ImageDetails } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import { isOwnedBy, labels } from '../../docker/labels.ts';
import { digestIn, imageByTag, parseReference } from '../../registry/reference.ts';
import { standingAccessory } from '../foundation/accessory-container.ts';
import { standingEdge } from '../foundation/edge-container.ts';
import type { DriftLook } from '../runtime.ts';
import { requestOf } from './container.ts';
import { differencesOf } from './differences.ts';
import { fileDrift, stateDrift } from './running-drift.ts';

/** A container as it has to be on a host. */
interface Wanted {
  readonly name: string;
  readonly image: string;
  readonly body: ContainerBody;
  /** it has no traffic, and may wait until somebody goes back to it */
  readonly mayRest: boolean;
}

/** Returns what a host has of an environment that is not as it is recorded, and as it was made. */
export async function hostDrift(engine: Engine, host: EnvironmentHost, look: DriftLook): Promise<Drift[]> {
  const [wanted, all] = await Promise.all([
    wantedOn(host, look),
    engine.listContainers({ all: true, signal: look.signal }),
  ]);
  const [network, ...found] = await Promise.all([
    wanted.length > 0 ? networkDrift(engine, look) : [],
    ...wanted.map((each) => containerDrift(engine, each, look)),
  ]);
  return [...found.flat(), ...unknownContainers(all, new Set(wanted.map(({ name }) => name)), look), ...network];
}

async function wantedOn(host: EnvironmentHost, look: DriftLook): Promise<Wanted[]> {
  const { record, standing } = look;
  const isHere = (each: { readonly host: { readonly name: string } }) => each.host.name === host.name;
  const serving = new Set((currentRevision(record.ledger)?.containers ?? []).map(({ name }) => name));
  const releases = record.containers.filter(isHere).map(async ({ spec }): Promise<Wanted> => {
    const request = await requestOf(look, host.name, spec);
    const body = { ...request, HostConfig: { ...request.HostConfig, RestartPolicy: { Name: 'unless-stopped' } } };
    return { name: spec.name, image: spec.image, body, mayRest: !spec.route && !serving.has(spec.name) };
  });
  const others = [
    ...standing.edges.filter(isHere).map(standingEdge),
    ...standing.accessories.filter(isHere).map(standingAccessory),
  ];
  return [...(await Promise.all(releases)), ...others.map((each): Wanted => ({ ...each, mayRest: false }))];
}

async function containerDrift(
  engine: Engine,
  { name, image, body, mayRest }: Wanted,
  look: DriftLook,
): Promise<Drift[]> {
  const options = { signal: look.signal };
  const [found, ofImage, changed = []] = await Promise.all([
    engine.inspectContainer(name, options),
    heldImage(engine, image, options),
    engine.fileChanges(name, options),
  ]);
  if (!found) return [{ what: name, member: 'container', expected: 'there', actual: 'missing' }];
  const lost = { member: 'image', expected: image, actual: 'not on the host any more' };
  const drift = [
    ...stateDrift(found, mayRest),
    ...(ofImage ? differencesOf(body, ofImage, found) : [lost]),
    ...fileDrift(changed, found),
  ];
  return drift.map((each) => ({ what: name, ...each }));
}

/** An image that came over ssh has a tag in place of its digest. */
async function heldImage(engine: Engine, image: string, options: CallOptions): Promise<ImageDetails | undefined> {
  const found = await engine.inspectImage(image, options);
  const digest = digestIn(image);
  if (found || digest === undefined) return found;
  return engine.inspectImage(imageByTag({ repository: parseReference(image).repository, digest }), options);
}

const taskLabel = 'com.docker.swarm.task.id';

/** Containers of the environment that nothing is recorded of, and strangers on its network. */
function unknownContainers(all: readonly ContainerSummary[], wanted: ReadonlySet<string>, look: DriftLook): Drift[] {
  const { network } = environmentNames(look.app, look.environment);
  return all.flatMap((container): Drift[] => {
    const what = containerName(container);
    const { Labels, Image, State, NetworkSettings } = container;
    // What a service runs is compared with the service.
    if (wanted.has(what) || taskLabel in Labels) return [];
    if (isOwnedBy(Labels, look)) {
      // What keeps secrets, or asks something at this moment, is of a container that is recorded.
      const part = Labels[labels.part] ?? '';
      if (!['release', 'edge', 'accessory'].includes(part)) return [];
      return [{ what, member: 'container', expected: 'none of that name', actual: `${part}, ${State}` }];
    }
    if (!(network in NetworkSettings.Networks)) return [];
    return [{ what, member: 'network', expected: `not on ${network}`, actual: `on ${network}, of image ${Image}` }];
  });
}

async function networkDrift(engine: Engine, look: DriftLook): Promise<Drift[]> {
  const { network: what } = environmentNames(look.app, look.environment);
  const found = await engine.inspectNetwork(what, { signal: look.signal });
  if (!found) return [{ what, member: 'network', expected: 'there', actual: 'missing' }];
  const own = isOwnedBy(found.Labels, look) || found.Scope !== 'local';
  return own ? [] : [{ what, member: 'labels', expected: `of ${look.environment}`, actual: 'made by somebody else' }];
}
