import { assemble, refuseOtherChanges, type Situation } from './assemble.ts';
import type { Environment } from './environment.ts';
import { LockageError } from './errors.ts';
import { checkPlatform } from './gate.ts';
import { generationNow, inGeneration, ledgerIn, otherGeneration } from './generation.ts';
import {
  imageNamed,
  imageText,
  judgeImage,
  machinesBefore,
  refuseAccessories,
  servingOn,
  type MachineImage,
} from './machine-image.ts';
import { environmentNamed } from './pipeline.ts';
import type { Plan } from './plan.ts';
import type { World } from './ports.ts';
import { nextNumber, type EnvironmentRecord } from './record.ts';
import { rollOut, takeDown } from './rollout.ts';
import type { Revision } from './revision.ts';

export interface PromoteImageRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

export type PromoteImageResult =
  | { readonly outcome: 'promoted'; readonly image: MachineImage; readonly revision: Revision }
  | { readonly outcome: 'unchanged'; readonly image: MachineImage }
  | { readonly outcome: 'planned'; readonly image: MachineImage; readonly plan: Plan };

/**
 * Replaces an environment's machines by others of an image: they are made beside those that serve, the release that runs
 * proves itself in them, the traffic moves to them at once, and only then the earlier machines go. What was kept to go back
 * to is kept in the new ones. Going back to an earlier image is the same. Throws LockageError: refused (nothing changed),
 * locked, or failed and rolled back.
 */
export async function promoteImage(world: World, request: PromoteImageRequest): Promise<PromoteImageResult> {
  const startedAt = world.now();
  const serving = environmentNamed(world.project, request.environment);
  const { name, machines } = serving;
  world.terminal.step('judge', `image ${request.version} for ${name}`);
  if (!machines) throw noMachines(serving);
  const images = await world.records.machineImages();
  const image = imageNamed(images, machines.kind, request.version);
  const seen = await world.records.environment(name);
  const current = servingOn(serving, seen);
  judgeImage(image, serving, seen, await recordsBefore(world, serving));
  refuseAccessories(serving);
  await world.registry.verify(current.release);
  const values = await world.secrets.read(serving);

  if (!(await world.machines.differ(serving, image.digest))) {
    world.terminal.note(`the machines of ${name} are of image ${image.version} already: nothing to do`);
    // A killed command may have left others beside them.
    if (!request.planOnly) await takeDown(world, serving);
    return { outcome: 'unchanged', image };
  }
  const generation = otherGeneration(generationNow(name, seen.ledger, []));
  const next = inGeneration(serving, generation);
  const situationOf = (environment: Environment, record: EnvironmentRecord): Situation => ({
    environment,
    release: current.release,
    record: { ...record, ledger: ledgerIn(generation, name, record.ledger) },
    reports: [],
    values,
    replaces: serving.hosts,
  });
  refuseOtherChanges(world, situationOf(next, seen));
  const { plan: bare } = assemble(world, situationOf(next, seen));
  const from = machines.image === undefined ? '' : ` of image ${imageText(images, machines.kind, machines.image)}`;
  const replaced = `${namesOf(next)} of image ${image.version} take over from ${namesOf(serving)}${from}`;
  const plan = { ...bare, notes: [replaced, ...bare.notes] };
  world.terminal.plan(plan);
  if (request.planOnly) return { outcome: 'planned', image, plan };
  await world.terminal.confirm(`Replace the machines of ${name}?`);

  // The machines that serve are those that another operator knows.
  const unlock = await world.hosts.lock(serving, `image ${image.version}`);
  try {
    const record = await world.records.environment(name);
    refuseChanged(serving, seen, record);
    return await replace(world, { ...request, image, startedAt, record, serving, situationOf });
  } finally {
    // It went with its machine where that was replaced.
    await unlock().catch(() => undefined);
  }
}

interface Replacement extends PromoteImageRequest {
  readonly image: MachineImage;
  readonly startedAt: number;
  readonly record: EnvironmentRecord;
  readonly serving: Environment;
  readonly situationOf: (environment: Environment, record: EnvironmentRecord) => Situation;
}

async function replace(world: World, replacement: Replacement): Promise<PromoteImageResult> {
  const { image, serving, record, startedAt, reason } = replacement;
  const { name } = serving;
  try {
    world.terminal.step('machines', `${name} of image ${image.version}`);
    await world.machines.make(serving, image.digest);
    const environment = environmentNamed(world.project, name);
    world.terminal.step('preflight', environment.hosts.map((host) => host.name).join(' '));
    const reports = await world.hosts.preflight(environment);
    const situation = { ...replacement.situationOf(environment, record), reports };
    checkPlatform(situation.release, reports);
    const options = {
      startedAt,
      before: record,
      confirmed: true,
      reason: reason ?? `machines of image ${image.version}`,
    };
    const result = await rollOut(world, situation, options);
    if (result.revision) return { outcome: 'promoted', image, revision: result.revision };
    return { outcome: 'unchanged', image };
  } catch (error) {
    await world.machines.locate();
    await takeDown(world, environmentNamed(world.project, name));
    throw error;
  }
}

async function recordsBefore(world: World, environment: Environment) {
  return Promise.all(
    machinesBefore(world.project, environment).map(async ({ name }) => ({
      name,
      record: await world.records.environment(name),
    })),
  );
}

function namesOf({ hosts }: Environment): string {
  return hosts.map(({ name }) => name).join(', ');
}

function noMachines({ name }: Environment): LockageError {
  return new LockageError(`${name} has no machines of its own`, {
    hint: `Its hosts are yours to replace. An environment with \`targets: { kind: vm }\` or \`lxc\` makes its machines of an image.`,
  });
}

function refuseChanged({ name }: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  if (nextNumber(seen.ledger) === nextNumber(now.ledger)) return;
  throw new LockageError(`${name} was changed by somebody else meanwhile: nothing was done`, {
    hint: `Look at \`lockage history ${name}\`, then run the same command again.`,
  });
}
