import { BrokenError, LockageError, messageOf, StoppedError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { imageNamed, imageText, type MachineImage } from '../model/machine-image.ts';
import { currentPool, inPool, ledgerInPool, otherPool } from '../model/machine-pool.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { Revision } from '../model/revision.ts';
import { planRollout, refuseOtherChanges } from '../planning/plan-rollout.ts';
import type { RolloutInputs } from '../planning/rollout-inputs.ts';
import { refuseAhead } from '../policy/fence.ts';
import { refuseOtherMigrations } from '../policy/running-migrations.ts';
import { checkImageGates, machinesBefore, refuseAccessories, servingOn } from '../policy/machine-image-gates.ts';
import { refuseChanged, refuseOtherHosts } from '../policy/unchanged.ts';
import type { Context } from './ports.ts';
import { operationInfo } from './steps/operation-info.ts';
import { preflight } from './steps/preflight.ts';
import { rollOut } from './steps/rollout.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The image that an environment's machines are to be of. */
export interface ReplaceMachinesRequest {
  /** of the image */
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

/** The outcome of a replacement. */
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
  const replacement = await checkedReplacement(context, request);
  const { image, serving, seen } = replacement;
  const { name } = serving;
  const isDue = await context.machines.needsReplacement(serving, image.digest);
  if (isDue) {
    const plan = await showPlan(context, replacement);
    if (request.planOnly) return { outcome: 'planned', image, plan };
    await context.terminal.confirm(`Replace the machines of ${name}?`);
  } else {
    context.terminal.note(`the machines of ${name} are of image ${image.version} already: nothing to do`);
    if (request.planOnly) return { outcome: 'unchanged', image };
  }

  // On the machines that another operator knows. It may go with them.
  const unlock = await context.hosts.lock(serving, `image ${image.version}`);
  try {
    const record = await context.records.environment(name);
    refuseOtherHosts(serving, seen, record);
    refuseChanged(serving, seen, record);
    const reports = await context.hosts.look(serving);
    refuseAhead(serving, record, reports);
    // It would go with its machine.
    const running = reports.flatMap(({ migrations = [] }) => migrations);
    refuseOtherMigrations(name, running);
    if (await context.machines.needsReplacement(serving, image.digest)) {
      return await replace(context, { ...replacement, seen: record });
    }
    // A killed command may have left others beside them.
    await context.machines.reconcile(name);
    return { outcome: 'unchanged', image };
  } finally {
    await unlock().catch(() => undefined);
  }
}

/** A replacement that may be carried out. */
interface Replacement {
  readonly request: ReplaceMachinesRequest;
  readonly startedAt: number;
  readonly image: MachineImage;
  /** the environment on the machines that serve now */
  readonly serving: Environment;
  /** what was recorded when it was checked */
  readonly seen: EnvironmentRecord;
  /** of the machines that take over, as far as it is known before they are made */
  readonly inputsOf: (record: EnvironmentRecord) => RolloutInputs;
}

async function checkedReplacement(context: Context, request: ReplaceMachinesRequest): Promise<Replacement> {
  const startedAt = context.now();
  const serving = environmentNamed(context.project, request.environment);
  const { name, machines } = serving;
  context.terminal.step('check', `image ${request.version} for ${name}`);
  if (!machines) throw noMachines(serving);
  const image = imageNamed(await context.records.machineImages(), machines.kind, request.version);
  const seen = await context.records.environment(name);
  const { release } = servingOn(serving, seen);
  const before = await recordsBefore(context, serving);
  checkImageGates(image, serving, seen, { before, now: startedAt });
  refuseAccessories(serving);
  await context.registry.verify(release);
  const versions = await context.secrets.read(serving, currentRevision(seen.ledger)?.secretVersions);
  const pool = otherPool(currentPool(name, seen.ledger, []));
  const inputsOf = (record: EnvironmentRecord): RolloutInputs => ({
    ...operationInfo(context),
    environment: inPool(serving, pool),
    release,
    record: { ...record, ledger: ledgerInPool(pool, name, record.ledger) },
    reports: [],
    versions,
    replaces: serving.hosts,
  });
  return { request, startedAt, image, serving, seen, inputsOf };
}

async function showPlan(context: Context, replacement: Replacement): Promise<Plan> {
  const inputs = replacement.inputsOf(replacement.seen);
  refuseOtherChanges(inputs);
  const { plan } = planRollout(inputs);
  const note = await takeOverNote(context, replacement, inputs.environment);
  const noted = { ...plan, notes: [note, ...plan.notes] };
  context.terminal.plan(noted);
  return noted;
}

async function replace(context: Context, replacement: Replacement): Promise<ReplaceMachinesResult> {
  const { image, serving } = replacement;
  try {
    context.terminal.step('machines', `${serving.name} of image ${image.version}`);
    const environment = await context.machines.ensure(serving, image.digest);
    return await takeOver(context, replacement, environment);
  } catch (error) {
    await reconcileAfter(context, serving.name, error);
    throw error;
  }
}

async function takeOver(
  context: Context,
  { image, inputsOf, seen, startedAt, request }: Replacement,
  environment: Environment,
): Promise<ReplaceMachinesResult> {
  const inputs = inputsOf(seen);
  const reports = await preflight(context, environment, inputs.release);
  const purpose = `image ${image.version}`;
  const reason = request.reason ?? `machines of image ${image.version}`;
  const options = { startedAt, whole: environment, before: seen, shown: true, reason };
  // From the record on, these are the machines that another operator knows.
  return withEnvironmentLock(context, { environment, purpose }, async () => {
    const { revision } = await rollOut(context, { ...inputs, environment, reports }, options);
    return revision ? { outcome: 'promoted', image, revision } : { outcome: 'unchanged', image };
  });
}

/**
 * Removes machines that a failure left. Where it is not known what serves, everything stays for a person to look at.
 */
async function reconcileAfter(context: Context, name: string, error: unknown): Promise<void> {
  if (error instanceof BrokenError || error instanceof StoppedError) return;
  await context.machines.reconcile(name).catch((second: unknown) => {
    context.terminal.note(`the next promotion removes the new machines of ${name}: ${messageOf(second)}`);
  });
}

async function takeOverNote(context: Context, { serving, image }: Replacement, next: Environment): Promise<string> {
  const images = await context.records.machineImages();
  const { image: digest } = serving.machines ?? {};
  const from = digest === undefined ? '' : ` of image ${imageText(images, image.kind, digest)}`;
  return `${hostNames(next)} of image ${image.version} take over from ${hostNames(serving)}${from}`;
}

async function recordsBefore(context: Context, environment: Environment) {
  const before = machinesBefore(context.project, environment).map(async ({ name }) => ({
    name,
    record: await context.records.environment(name),
  }));
  return Promise.all(before);
}

function hostNames({ hosts }: Environment): string {
  return hosts.map(({ name }) => name).join(', ');
}

function noMachines({ name }: Environment): LockageError {
  return new LockageError(`${name} has no machines of its own`, {
    hint: `Its hosts are yours to replace. An environment with \`targets: { kind: vm }\` or \`lxc\` makes its machines of an image.`,
  });
}
