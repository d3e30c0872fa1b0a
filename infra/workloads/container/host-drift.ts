import type { Drift } from '../../../pipelines/inspection/drift.ts';
import { restsAsStandby, secretsPath } from '../../../pipelines/model/container-spec.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type {
  CallOptions,
  ContainerBody,
  ContainerSummary,
  Engine,
  EngineInfo,
  ImageDetails,
} from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import { isOwnedBy, labels, ownerLabels } from '../../docker/labels.ts';
import { digestIn, imageByTag, parseReference } from '../../registry/reference.ts';
import { standingAccessory } from '../foundation/accessory-container.ts';
import { standingEdge } from '../foundation/edge-container.ts';
import type { DriftLook } from '../runtime.ts';
import { otherSecrets, problemsOf } from '../secret-problems.ts';
import { requestOf } from './container.ts';
import { restartPolicies, withNamelessVolumes } from './create-request.ts';
import { asHostAllows, differencesOf } from './differences.ts';
import { isNameless } from './inventory.ts';
import { networkSettings } from './network-settings.ts';
import { fileDrift, isDead, stateDrift } from './running-drift.ts';

/** A container as it has to be on a host. */
interface Wanted {
  readonly name: string;
  readonly image: string;
  readonly body: ContainerBody;
  /** it has no traffic, and may wait until somebody goes back to it */
  readonly mayRest: boolean;
  /** its nameless volumes are labelled */
  readonly ofRelease: boolean;
}

/** Returns what a host has of an environment that is not as it is recorded, and as it was made. */
export async function hostDrift(engine: Engine, host: EnvironmentHost, look: DriftLook): Promise<Drift[]> {
  const [wanted, all, info] = await Promise.all([
    wantedOn(host, look),
    engine.listContainers({ all: true, signal: look.signal }),
    engine.info({ signal: look.signal }),
  ]);
  const [network, volumes, secrets, ...found] = await Promise.all([
    wanted.length > 0 ? networkDrift(engine, look) : [],
    volumeDrift(engine, all, look),
    secretDrift(engine, all, look),
    ...wanted.map((each) => containerDrift(engine, info, each, look)),
  ]);
  return [
    ...found.flat(),
    ...unknownContainers(all, new Set(wanted.map(({ name }) => name)), look),
    ...network,
    ...volumes,
    ...secrets,
  ];
}

async function wantedOn(host: EnvironmentHost, look: DriftLook): Promise<Wanted[]> {
  const { record, standing } = look;
  const isHere = (each: { readonly host: { readonly name: string } }) => each.host.name === host.name;
  const serving = new Set((currentRevision(record.ledger)?.containers ?? []).map(({ name }) => name));
  const releases = record.containers.filter(isHere).map(async ({ spec }): Promise<Wanted> => {
    const request = await requestOf(look, host.name, spec);
    const mayRest = restsAsStandby(spec) && !serving.has(spec.name);
    const RestartPolicy = mayRest ? restartPolicies.rests : restartPolicies.serves;
    const body = { ...request, HostConfig: { ...request.HostConfig, RestartPolicy } };
    return {
      name: spec.name,
      image: spec.image,
      body,
      mayRest,
      ofRelease: true,
    };
  });
  const others = [
    ...standing.edges.filter(isHere).map(standingEdge),
    ...standing.accessories.filter(isHere).map(standingAccessory),
  ];
  return [
    ...(await Promise.all(releases)),
    ...others.map((each): Wanted => ({ ...each, mayRest: false, ofRelease: false })),
  ];
}

async function containerDrift(
  engine: Engine,
  info: EngineInfo,
  { name, image, body, mayRest, ofRelease }: Wanted,
  look: DriftLook,
): Promise<Drift[]> {
  const options = { signal: look.signal };
  const [found, ofImage, changed = []] = await Promise.all([
    engine.inspectContainer(name, options),
    heldImage(engine, image, options),
    engine.fileChanges(name, options).catch((error: unknown) => ({ error })),
  ]);
  if (!found) return [{ what: name, member: 'container', expected: 'there', actual: 'missing' }];
  if ('error' in changed && !isDead(found.State.Status)) throw changed.error;
  const allowed = asHostAllows(body, info, found);
  const lost = { member: 'image', expected: image, actual: 'not on the host any more' };
  // A host keeps what it runs, whatever name was taken from it.
  const made = ofImage ?? (await engine.inspectImage(found.Image, options));
  const drift = [
    ...stateDrift(found, mayRest),
    ...(ofImage ? [] : [lost]),
    ...(made ? differencesOf(ofRelease ? withNamelessVolumes(allowed, made) : allowed, made, found) : []),
    ...('error' in changed ? [] : fileDrift(changed, found)),
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
  return own
    ? networkSettings(found)
    : [{ what, member: 'labels', expected: `of ${look.environment}`, actual: 'made by somebody else' }];
}

/** Volumes without a name that containers of releases had, which somebody removed without them. */
async function volumeDrift(engine: Engine, all: readonly ContainerSummary[], look: DriftLook): Promise<Drift[]> {
  const found = await engine.listVolumes(ownerLabels(look.app, look.environment, 'release'), { signal: look.signal });
  const used = new Set(all.flatMap(({ Mounts }) => Mounts.map(({ Name }) => Name)));
  const left = found.filter(isNameless).flatMap(({ Name }) => (used.has(Name) ? [] : [Name]));
  const actual = 'left by a container that is gone: `lockage prune` removes it';
  return left.map((what) => ({ what, member: 'volume', expected: 'none that nobody uses', actual }));
}

/** Returns how the files of secrets that containers read are not for root and them only, or are others than these. */
async function secretDrift(engine: Engine, all: readonly ContainerSummary[], look: DriftLook): Promise<Drift[]> {
  const reads = ({ Mounts }: ContainerSummary) => Mounts.some(({ Destination }) => Destination === secretsPath);
  // A swarm keeps the secrets of its services itself.
  const isHere = ({ Labels }: ContainerSummary) => isOwnedBy(Labels, look) && !(taskLabel in Labels);
  const readers = all.filter((container) => isHere(container) && reads(container) && !isDead(container.State));
  const found = readers.map(async (container): Promise<Drift[]> => {
    const what = containerName(container);
    const spec = look.record.containers.find((placed) => placed.spec.name === what)?.spec;
    // Those in memory are there while somebody runs; that they are lost is told of the volume.
    if (container.State !== 'running' && spec?.secretsAt === 'memory') return [];
    const options = { signal: look.signal };
    const [entries, details] = await Promise.all([
      engine.getArchive(what, secretsPath, options),
      spec ? engine.inspectContainer(what, options) : undefined,
    ]);
    const user = /^\d+/.exec(details?.Config.User ?? '')?.[0];
    const problems = [
      ...problemsOf('secrets', entries ?? [], user),
      ...(spec && entries ? otherSecrets(entries, Object.keys(spec.secrets)) : []),
    ];
    const expected = 'for root and it only, as they were made';
    return problems.map((actual) => ({ what, member: 'secrets', expected, actual }));
  });
  return (await Promise.all(found)).flat();
}
