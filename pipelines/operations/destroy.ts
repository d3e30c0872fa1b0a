import { BrokenError, RecordChangedError } from '../errors.ts';
import { hostsToAsk } from '../inspection/status.ts';
import { archiveOf, withoutArchive } from '../model/archive.ts';
import type { Environment } from '../model/environment.ts';
import { countOf, inventoryNames, type Inventory } from '../model/inventory.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { schedulesReplicas } from '../model/target.ts';
import { destroyMachines, refuseFormerMachines } from './destroy-machines.ts';
import type { DestroyResult, RemovalOptions } from './destroy-result.ts';
import { refuseChanged } from '../policy/unchanged.ts';
import type { Context } from './ports.ts';
import type { StackPart } from './ports/stacks.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment that is to go. */
export interface DestroyRequest {
  readonly environment: string;
  /** also the data of its accessories */
  readonly withData: boolean;
}

/** Removes an environment from its hosts, and its record. Throws LockageError, or BrokenError when something is left. */
export async function destroy(context: Context, request: DestroyRequest): Promise<DestroyResult> {
  const environment = environmentNamed(context.project, request.environment);
  const { name } = environment;
  const archived = archiveOf(await context.records.archives(), name);
  if (archived) context.terminal.note(`${name} was archived: its revisions are forgotten, and ${archived.file} stays`);
  return removeEnvironment(context, environment, {
    command: 'destroy',
    withData: request.withData,
    question: `Remove all of this, and the record of ${name}?`,
    ...(archived ? { before: async () => forgetArchive(context, name) } : {}),
  });
}

async function forgetArchive({ records }: Context, environment: string): Promise<void> {
  await records.changeArchives(
    (archives) => withoutArchive(archives, environment),
    `forget the archive of ${environment}`,
  );
}

/**
 * Removes an environment from its hosts, and its own record, after a person has agreed to it. Throws LockageError, or
 * BrokenError when something is left.
 */
export async function removeEnvironment(
  context: Context,
  environment: Environment,
  options: RemovalOptions,
): Promise<DestroyResult> {
  const { name } = environment;
  if (environment.machines) return destroyMachines(context, environment, options);
  await refuseFormerMachines(context, name);
  const record = await context.records.environment(name);
  // Also those that are only recorded any more.
  const targets = hostsToAsk(environment, record);
  const seen = await context.removal.inventory(environment, targets);
  const isThere = seen.some((inventory) => countOf(inventory, options.withData) > 0);
  if (!isThere && !options.before && (await context.removal.recorded(name)).size === 0)
    return { outcome: 'nothing to do', environment: name };
  context.terminal.inventory(seen, options.withData);
  if (record.ledger.revisions.length === 0) {
    context.terminal.note(`nothing of ${name} is recorded here: this is all that carries its labels on these hosts`);
  }
  await context.terminal.confirm(options.question);
  return withEnvironmentLock(context, { environment, purpose: options.command }, async () => {
    const recorded = await context.records.environment(name);
    refuseChanged(environment, record, recorded);
    const before = await context.removal.inventory(environment, targets);
    if (context.terminal.asks) refuseOthers(name, seen, before);
    await options.before?.(recorded);
    return destroyFound(context, environment, before, options);
  });
}

async function destroyFound(
  context: Context,
  environment: Environment,
  before: readonly Inventory[],
  { command, withData }: RemovalOptions,
): Promise<DestroyResult> {
  const { name } = environment;
  await removeAll(context, environment, before, { command, withData });
  const targets = before.map(({ host }) => host);
  const after = await context.removal.inventory(environment, targets);
  refuseRemains({ command, environment: name }, after, withData);
  const left = withVolumes(after, before);
  const kept = (withData ? after : left).flatMap(({ host, data }) =>
    data.map((volume) => ({ host: host.name, volume })),
  );
  return { outcome: 'destroyed', environment: name, kept, hosts: targets.map((host) => host.name) };
}

/** Throws RecordChangedError when more is there than a person was shown. */
function refuseOthers(environment: string, seen: readonly Inventory[], now: readonly Inventory[]): void {
  const known = new Set(seen.flatMap(namesOf));
  const others = now.flatMap(namesOf).filter((name) => !known.has(name));
  if (others.length === 0) return;
  throw new RecordChangedError(`${environment} has more than you were shown: nothing was removed`, {
    details: others,
    hint: 'Run the same command again: it shows what is there now.',
  });
}

function namesOf(inventory: Inventory): string[] {
  return inventoryNames(inventory, true).map((name) => `${inventory.host.name}: ${name}`);
}

/** Removes first what Pulumi knows of, in its order; then whatever else carries the environment's labels. */
async function removeAll(
  context: Context,
  environment: Environment,
  before: readonly Inventory[],
  { command, withData }: Pick<RemovalOptions, 'command' | 'withData'>,
): Promise<void> {
  const { removal, terminal } = context;
  const { name } = environment;
  terminal.step('destroy', 'releases');
  // Nodes end the containers of a service in their own time, for which a promotion does not wait.
  if (environment.orchestrator) await context.hosts.removeOthers(environment, []);
  const releases = await destroyStack(context, name, 'releases');
  refuseStopped(context, name, command);
  terminal.step('destroy', 'foundation');
  const foundation = await destroyStack(context, name, 'foundation');
  refuseStopped(context, name, command);
  const targets = before.map(({ host }) => host);
  const left = withVolumes(await removal.inventory(environment, targets), before);
  const remove = (part: readonly Inventory[]) => Promise.all(part.map((each) => removal.remove(each, withData)));
  // The network of a swarm goes when no edge is in it any more.
  await remove(left.filter(({ host }) => !schedulesReplicas(host)));
  await remove(left.filter(({ host }) => schedulesReplicas(host)));
  for (const part of [...releases, ...foundation]) await removal.forgetStack(name, part);
}

/** Throws BrokenError between two steps when the operator wants no more of them. */
function refuseStopped({ signal }: Context, environment: string, command: string): void {
  if (!signal.aborted) return;
  throw new BrokenError(`interrupted: ${environment} is removed in part`, {
    hint: `Run \`lockage ${command} ${environment}\` again, which removes the rest.`,
  });
}

/**
 * Adds the volumes that were found earlier: nameless ones are found by their containers only, which may be gone by
 * now without them.
 */
function withVolumes(left: readonly Inventory[], before: readonly Inventory[]): Inventory[] {
  return left.map((each) => {
    const earlier = before.find(({ host }) => host.name === each.host.name) ?? { volumes: [], data: [] };
    const [volumes, data] = (['volumes', 'data'] as const).map((kind) => [
      ...new Set([...each[kind], ...earlier[kind]]),
    ]);
    return { ...each, volumes: volumes ?? [], data: data ?? [] };
  });
}

/**
 * Destroys a stack. What Pulumi cannot remove is removed by its labels afterwards, so its failure is no end; returns the
 * part whose record is to be forgotten once the hosts are clean.
 */
async function destroyStack(
  { removal, terminal }: Context,
  environment: string,
  part: StackPart,
): Promise<StackPart[]> {
  const problem = await removal.destroyStack(environment, part);
  if (problem === undefined) return [];
  terminal.note(`Pulumi did not remove all ${part} of ${environment}, so they are removed by their labels: ${problem}`);
  return [part];
}

function refuseRemains(
  { command, environment }: { readonly command: string; readonly environment: string },
  after: readonly Inventory[],
  withData: boolean,
): void {
  const left = after.flatMap((inventory) =>
    inventoryNames(inventory, withData).map((name) => `${inventory.host.name}: ${name}`),
  );
  if (left.length === 0) return;
  throw new BrokenError(`${environment} is not gone`, {
    details: left,
    hint: `Run \`lockage ${command} ${environment}\` again.`,
  });
}
