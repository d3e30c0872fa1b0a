import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import { createBody } from './create-request.ts';
import { EngineError, type Engine } from '../../docker/api/client.ts';
import { digestIn, imageByTag, parseReference } from '../../registry/reference.ts';
import type { ContainerInputs } from '../../resources/inputs.ts';
import { edgeOf, type ProviderContext } from '../../context/provider-context.ts';
import { labels } from '../../docker/labels.ts';
import { deliverSecretFiles } from '../secret-files.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';

/**
 * Creates and starts a release container. Safe to repeat: one that an interrupted run left behind is kept when it runs
 * what is wanted, else removed. A stranger's container of that name is never touched.
 * Throws LockageError when the name is taken or the container does not start; nothing is left behind then.
 */
export async function createContainer(context: ProviderContext, inputs: ContainerInputs): Promise<{ id: string }> {
  const { host, spec } = inputs;
  const engine = await context.engine(host);
  const left = await leftover(engine, inputs);
  if (left !== undefined) return { id: left };

  if (Object.keys(spec.secrets).length > 0) {
    await deliverSecretFiles(context, { ...inputs, container: spec.name, secrets: spec.secrets });
  }
  const id = await made(engine, inputs);
  try {
    if (!inputs.rests) await engine.startContainer(spec.name);
  } catch (error) {
    await removeContainer(context, inputs);
    throw new LockageError(`${host.name}: ${spec.name} does not start: ${messageOf(error)}`, { cause: error });
  }
  context.progress({ host: host.name, step: inputs.rests ? 'standby' : 'start', detail: spec.name });
  return { id };
}

/** A host that got the image over ssh has it by a tag, which only shows when it does not know the other name. */
async function made(engine: Engine, { app, environment, spec }: ContainerInputs): Promise<string> {
  const body = createBody(app, environment, spec);
  try {
    return await engine.createContainer(spec.name, body);
  } catch (error) {
    const digest = digestIn(spec.image);
    if (!(error instanceof EngineError) || error.status !== 404 || digest === undefined) throw error;
    const { repository } = parseReference(spec.image);
    const name = imageByTag({ repository, digest });
    if (!(await engine.inspectImage(name))) throw error;
    return engine.createContainer(spec.name, { ...body, Image: name });
  }
}

/** Stops a container gracefully and removes it with its secrets. What is gone already is fine. */
export async function removeContainer(context: ProviderContext, inputs: ContainerInputs): Promise<void> {
  const { host, spec } = inputs;
  const engine = await context.engine(host);
  const found = await engine.inspectContainer(spec.name);
  if (found !== undefined && found.Config.Labels[labels.app] === inputs.app) {
    if (found.State.Running) await engine.stopContainer(spec.name, spec.stopGrace);
    await engine.removeContainer(spec.name, { force: true });
    context.progress({ host: host.name, step: 'remove', detail: spec.name });
  }
  if (Object.keys(spec.secrets).length > 0) await (await edgeOf(context, inputs, host)).forgetSecrets([spec.name]);
}

/** The id of a container that already is what is wanted, after removing one of ours that is not. */
async function leftover(engine: Engine, inputs: ContainerInputs): Promise<string | undefined> {
  const { spec } = inputs;
  const found = await engine.inspectContainer(spec.name);
  if (found === undefined) return undefined;
  if (
    found.Config.Labels[labels.app] !== inputs.app ||
    found.Config.Labels[labels.environment] !== inputs.environment
  ) {
    throw new LockageError(`${inputs.host.name}: a container named ${spec.name} exists and is not of ${inputs.app}`, {
      hint: `Rename or remove it on ${inputs.host.name}, then run the same command again.`,
    });
  }
  const { State: state } = found;
  if (state.Running && found.RestartCount === 0 && found.Config.Labels[labels.spec] === fingerprint(spec)) {
    return found.Id;
  }
  await engine.removeContainer(spec.name, { force: true });
  return undefined;
}
