import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { Target } from '../../../pipelines/model/target.ts';
import { partKey, type ProviderContext } from '../../context/provider-context.ts';
import type { ContainerBody, ContainerDetails, Engine } from '../../docker/api/client.ts';
import { isOwnedBy, labels } from '../../docker/labels.ts';
import type { ContainerInputs, Place } from '../../resources/inputs.ts';
import { addressOf } from '../../system/look-up.ts';
import { withHeldImage } from '../held-image.ts';
import { logHint } from '../log-hints.ts';
import {
  fillSecretVolume,
  removeSecretVolume,
  secretParts,
  secretVolumeName,
  type SecretVolume,
} from '../secret-volume.ts';
import { createBody, extraHosts, withNamelessVolumes } from './create-request.ts';
import { createForUser } from './owned-folders.ts';

/**
 * Creates and starts a release container. Safe to repeat: one that an interrupted run left behind is kept when it runs
 * what is wanted, else removed. A stranger's container of that name is never touched.
 * Throws LockageError when the name is taken or the container does not start; nothing is left behind then.
 */
export async function createContainer(context: ProviderContext, inputs: ContainerInputs): Promise<{ id: string }> {
  const { host, spec } = inputs;
  const engine = await context.engine(host);
  const { id, runs } = await placeContainer(context, inputs);
  if (runs) return { id };
  // To place it takes seconds, in which somebody may take over.
  if (!inputs.rests) await context.checkLock();
  try {
    if (!inputs.rests) await engine.startContainer(spec.name);
  } catch (error) {
    await removeContainer(context, inputs);
    const hint = logHint([messageOf(error)], spec);
    const options = { cause: error, ...(hint === undefined ? {} : { hint }) };
    throw new LockageError(`${host.name}: ${spec.name} does not start: ${messageOf(error)}`, options);
  }
  context.progress({ host: host.name, step: inputs.rests ? 'standby' : 'start', detail: spec.name });
  return { id };
}

/** Creates a container in the same way, and leaves it to the caller to start it. Returns whether one runs already. */
export async function placeContainer(
  context: ProviderContext,
  inputs: ContainerInputs,
): Promise<{ id: string; runs: boolean }> {
  const engine = await context.engine(inputs.host);
  const left = await leftover(context, engine, inputs);
  return left === undefined ? { id: await made(engine, context, inputs), runs: false } : { id: left, runs: true };
}

async function made(engine: Engine, context: ProviderContext, inputs: ContainerInputs): Promise<string> {
  const { app, environment, host, spec } = inputs;
  const body = await requestOf(inputs, host.name, spec);
  await context.checkLock();
  try {
    if (hasSecrets(spec)) await fillSecretVolume(context, secretVolumeOf({ app, environment }, host, spec));
    return await withHeldImage(engine, spec.image, async (image) => {
      const details = await engine.inspectImage(image);
      await context.checkLock();
      const request = { ...withNamelessVolumes(body, details), Image: image };
      return createForUser(engine, spec, { request, imageUser: details?.Config.User });
    });
  } catch (error) {
    // What kept it from being made explains more than what keeps its secrets from being removed.
    if (hasSecrets(spec)) await removeSecretVolume(engine, inputs, secretVolumeName(spec.name)).catch(() => undefined);
    throw error;
  }
}

/** Returns the request that a release container is made by, with accessories' addresses as they are now. Throws LockageError. */
export async function requestOf(
  { app, environment }: Place,
  host: string,
  spec: ContainerSpec,
): Promise<ContainerBody> {
  const request = createBody(app, environment, spec);
  const found = extraHosts({ ...spec.extraHosts, ...(await addressesOf(host, spec.neighbours)) });
  return { ...request, HostConfig: { ...request.HostConfig, ...found } };
}

/** Looks up where accessories on other hosts are. Throws LockageError. */
async function addressesOf(
  host: string,
  neighbours: ContainerSpec['neighbours'] = {},
): Promise<Record<string, string>> {
  const found = Object.entries(neighbours).map(async ([accessory, at]) => {
    const address = await addressOf(at).catch((error: unknown) => {
      throw new LockageError(`${host}: accessory ${accessory} cannot be found: ${messageOf(error)}`, {
        hint: error instanceof LockageError ? error.hint : undefined,
        cause: error,
      });
    });
    return [accessory, address] as const;
  });
  return Object.fromEntries(await Promise.all(found));
}

function secretVolumeOf(place: Place, host: Target, spec: ContainerSpec): SecretVolume {
  const { hardening, secretsAt } = spec;
  return {
    ...place,
    host,
    volume: secretVolumeName(spec.name),
    part: secretParts.release,
    image: spec.image,
    ...(hardening.user === undefined ? {} : { user: hardening.user }),
    ...(secretsAt === undefined ? {} : { at: secretsAt }),
    secrets: spec.secrets,
  };
}

function hasSecrets({ secrets }: ContainerSpec): boolean {
  return Object.keys(secrets).length > 0;
}

/** Stops a container gracefully and removes it with its secrets. What is gone already is fine. */
export async function removeContainer(context: ProviderContext, inputs: ContainerInputs): Promise<void> {
  const { host, spec } = inputs;
  const engine = await context.engine(host);
  const found = await engine.inspectContainer(spec.name);
  if (found !== undefined && found.Config.Labels[labels.app] === inputs.app) {
    await context.checkLock();
    if (found.State.Running) await engine.stopContainer(spec.name, spec.stopGrace);
    await context.checkLock();
    await engine.removeContainer(spec.name, { force: true });
    context.progress({ host: host.name, step: 'remove', detail: spec.name });
  }
  if (hasSecrets(spec)) await removeSecretVolume(engine, inputs, secretVolumeName(spec.name));
}

/** Returns the id of a container that already is what is wanted, after removing one of ours that is not. */
async function leftover(
  context: ProviderContext,
  engine: Engine,
  inputs: ContainerInputs,
): Promise<string | undefined> {
  const { spec } = inputs;
  const found = await engine.inspectContainer(spec.name);
  if (found === undefined) return undefined;
  if (!isOwnedBy(found.Config.Labels, inputs)) {
    throw new LockageError(`${inputs.host.name}: a container named ${spec.name} exists and is not of ${inputs.app}`, {
      hint: `Rename or remove it on ${inputs.host.name}, then run the same command again.`,
    });
  }
  const isReplaced = context.replaced?.has(partKey(inputs.host, spec.name)) ?? false;
  if (!isReplaced && isWanted(found, spec) && !(await hasLostSecrets(engine, spec))) return found.Id;
  await context.checkLock();
  await engine.removeContainer(spec.name, { force: true });
  return undefined;
}

function isWanted({ State: state, RestartCount: restarts, Config: config }: ContainerDetails, spec: ContainerSpec) {
  return state.Running && restarts === 0 && config.Labels[labels.spec] === fingerprint(spec);
}

/** Returns whether secrets in memory are gone, as they are when what keeps them there does not run. */
async function hasLostSecrets(engine: Engine, spec: ContainerSpec): Promise<boolean> {
  if (spec.secretsAt !== 'memory') return false;
  return !(await engine.inspectContainer(secretVolumeName(spec.name)))?.State.Running;
}
