import { planRollout, refuseOtherChanges } from '../planning/plan-rollout.ts';
import type { Environment } from '../model/environment.ts';
import { ExitCode, LockageError } from '../errors.ts';
import { currentPool, inPool, ledgerInPool, otherPool } from '../model/machine-pool.ts';
import { imageNamed, imageText, type MachineImage } from '../model/machine-image.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { Context } from './ports.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { preflight } from './steps/preflight.ts';
import { rollOut } from './steps/rollout.ts';
import type { Revision } from '../model/revision.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';
import type { RolloutInputs } from '../planning/rollout-inputs.ts';
import { refuseChanged, refuseOtherHosts } from '../policy/unchanged.ts';
import { checkImageGates, machinesBefore, refuseAccessories, servingOn } from '../policy/machine-image-gates.ts';

export interface ReplaceMachinesRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

export type ReplaceMachinesResult =
  | { readonly outcome: 'promoted'; readonly image: MachineImage; readonly revision: Revision }
  | { readonly outcome: 'unchanged'; readonly image: MachineImage }
  | { readonly outcome: 'planned'; readonly image: MachineImage; readonly plan: Plan };

/**
 * Replaces an environment's machines by others of an image: they are made beside those that serve, the release that runs
 * proves itself in them, the traffic moves to them at once, and only then the earlier machines go. What was kept to go back
 * to is kept in the new ones. Going back to an earlier image is the same. Throws LockageError: refused (nothing changed),
 * locked, or failed and rolled back.
 */
export async function replaceMachines(
  context: Context,
  request: ReplaceMachinesRequest,
): Promise<ReplaceMachinesResult> {
  const startedAt = context.now();
  const serving = environmentNamed(context.project, request.environment);
  const { name, machines } = serving;
  context.terminal.step('judge', `image ${request.version} for ${name}`);
  if (!machines) throw noMachines(serving);
  const image = imageNamed(await context.records.machineImages(), machines.kind, request.version);
  const seen = await context.records.environment(name);
  const current = servingOn(serving, seen);
  checkImageGates(image, serving, seen, await recordsBefore(context, serving));
  refuseAccessories(serving);
  await context.registry.verify(current.release);
  const values = await context.secrets.read(serving);

  const pool = otherPool(currentPool(name, seen.ledger, []));
  const next = inPool(serving, pool);
  const situationOf = (record: EnvironmentRecord): RolloutInputs => ({
    environment: next,
    release: current.release,
    record: { ...record, ledger: ledgerInPool(pool, name, record.ledger) },
    reports: [],
    values,
    replaces: serving.hosts,
  });
  if (await context.machines.needsReplacement(serving, image.digest)) {
    refuseOtherChanges(context, situationOf(seen));
    const { plan } = planRollout(context, situationOf(seen));
    const noted = { ...plan, notes: [await takeOverNote(context, serving, next, image), ...plan.notes] };
    context.terminal.plan(noted);
    if (request.planOnly) return { outcome: 'planned', image, plan: noted };
    await context.terminal.confirm(`Replace the machines of ${name}?`);
  } else {
    context.terminal.note(`the machines of ${name} are of image ${image.version} already: nothing to do`);
    if (request.planOnly) return { outcome: 'unchanged', image };
  }

  const act = async (): Promise<ReplaceMachinesResult> => {
    const record = await context.records.environment(name);
    refuseOtherHosts(serving, seen, record);
    refuseChanged(serving, seen, record);
    if (await context.machines.needsReplacement(serving, image.digest)) {
      return replace(context, { ...request, image, startedAt, record, serving, situation: situationOf(record) });
    }
    // A killed command may have left others beside them.
    await context.machines.reconcile(name);
    return { outcome: 'unchanged', image };
  };
  // On the machines that another operator knows. It may go with them.
  const unlock = await context.hosts.lock(serving, `image ${image.version}`);
  try {
    return await act();
  } finally {
    await unlock().catch(() => undefined);
  }
}

interface Replacement extends ReplaceMachinesRequest {
  readonly image: MachineImage;
  readonly startedAt: number;
  readonly record: EnvironmentRecord;
  readonly serving: Environment;
  /** of the machines that take over, as far as it is known before they are made */
  readonly situation: RolloutInputs;
}

async function replace(context: Context, replacement: Replacement): Promise<ReplaceMachinesResult> {
  const { image, serving, situation, record, startedAt } = replacement;
  const { name } = serving;
  try {
    context.terminal.step('machines', `${name} of image ${image.version}`);
    await context.machines.ensure(serving, image.digest);
    const environment = environmentNamed(context.project, name);
    const reports = await preflight(context, environment, situation.release);
    const reason = replacement.reason ?? `machines of image ${image.version}`;
    const options = { startedAt, before: record, confirmed: true, reason };
    // From the record on, these are the machines that another operator knows.
    return await withEnvironmentLock(context, environment, `image ${image.version}`, async () => {
      const { revision } = await rollOut(context, { ...situation, environment, reports }, options);
      return revision ? { outcome: 'promoted', image, revision } : { outcome: 'unchanged', image };
    });
  } catch (error) {
    await settleAfter(context, name, error);
    throw error;
  }
}

/** Where it is not known what serves, everything stays for a person to look at. */
async function settleAfter(context: Context, name: string, error: unknown): Promise<void> {
  if (error instanceof LockageError && error.code === ExitCode.broken) return;
  await context.machines.reconcile(name).catch((second: unknown) => {
    context.terminal.note(`the next promotion removes the new machines of ${name}: ${(second as Error).message}`);
  });
}

async function takeOverNote(context: Context, serving: Environment, next: Environment, image: MachineImage) {
  const images = await context.records.machineImages();
  const { image: digest } = serving.machines ?? {};
  const from = digest === undefined ? '' : ` of image ${imageText(images, image.kind, digest)}`;
  return `${namesOf(next)} of image ${image.version} take over from ${namesOf(serving)}${from}`;
}

async function recordsBefore(context: Context, environment: Environment) {
  return Promise.all(
    machinesBefore(context.project, environment).map(async ({ name }) => ({
      name,
      record: await context.records.environment(name),
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
