import { colors } from '../../tools/colors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { ExitCode, LockageError } from '../../../pipelines/errors.ts';
import { withEnvironmentLock } from '../../../pipelines/operations/steps/with-lock.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { hostsToAsk } from '../../../pipelines/inspection/status.ts';
import { forgetSecrets, inventoryOf, removeInventory, type Inventory } from '../../../infra/hosts/inventory.ts';
import { foundationStack } from '../../../infra/pulumi/stack-names.ts';
import { providerContext } from '../../../infra/context/session.ts';
import { inventoryLines } from '../views/inventory.ts';
import { destroyMachines, refuseFormerMachines } from './destroy-machines.ts';
import { runCommand } from '../run-command.ts';
import type { CommandContext } from '../open-context.ts';
import { schedulesReplicas, type Target } from '../../../pipelines/model/target.ts';
import type { Flags } from '../options.ts';

interface DestroyFlags extends Flags {
  readonly volumes?: boolean;
}

/** `lockage destroy` */
export async function destroyCommand(name: string, flags: DestroyFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const environment = environmentNamed(context.project, name);
    const withData = flags.volumes ?? false;
    if (environment.machines) return destroyMachines(context, environment, withData);
    await refuseFormerMachines(context, name);
    await withEnvironmentLock(context, environment, 'destroy', async () => {
      // Also those that are only recorded any more.
      const hosts = hostsToAsk(environment, await context.records.environment(environment.name));
      const before = await survey(context, environment, hosts);
      if (!(await isThere(context, environment.name, before, withData))) {
        context.terminal.result({ outcome: 'nothing to do', environment: environment.name }, [
          `${environment.name} has nothing on its hosts and no record: nothing to do`,
        ]);
        return;
      }
      for (const line of inventoryLines(before, withData)) context.terminal.line(line, 'stderr');
      await context.terminal.confirm(`Remove all of this, and the record of ${environment.name}?`);
      await destroy(context, environment, before, withData);
      const after = await survey(context, environment, hosts);
      refuseRemains(environment.name, after, withData);
      const kept = after.flatMap(({ host, data }) => data.map((volume) => ({ host: host.name, volume })));
      context.terminal.result({ outcome: 'destroyed', environment: environment.name, kept }, [
        `${environment.name} is gone from ${before.map(({ host }) => host.name).join(', ')}`,
        ...kept.map(
          ({ host, volume }) => `${host}: the data in volume ${volume} stays` + colors.dim(' (--volumes removes it)'),
        ),
      ]);
    });
  });
}

async function survey(
  context: CommandContext,
  environment: Environment,
  hosts: readonly Target[],
): Promise<Inventory[]> {
  const place = { app: context.project.app, environment: environment.name };
  return Promise.all(
    hosts.map(async (host) =>
      inventoryOf(await context.connections.engine(host), host, place, host === environment.hosts[0]),
    ),
  );
}

async function isThere(
  context: CommandContext,
  environment: string,
  hosts: readonly Inventory[],
  withData: boolean,
): Promise<boolean> {
  const { ledger, containers } = await context.records.environment(environment);
  const foundation = await context.records.foundation(environment);
  const isRecorded = ledger.revisions.length > 0 || containers.length > 0 || foundation !== undefined;
  return isRecorded || hosts.some((remains) => countOf(remains, withData) > 0);
}

function countOf({ containers, networks, volumes, data, secrets }: Inventory, withData: boolean): number {
  return containers.length + networks.length + volumes.length + secrets.length + (withData ? data.length : 0);
}

/** First what Pulumi knows of, in its order; then whatever else carries the environment's labels. */
async function destroy(
  context: CommandContext,
  environment: Environment,
  before: readonly Inventory[],
  withData: boolean,
): Promise<void> {
  const { name } = environment;
  context.terminal.step('destroy', 'releases');
  // Nodes end the containers of a service in their own time, for which a promotion does not wait.
  if (environment.orchestrator) await context.hosts.removeOthers(environment, []);
  const forgetReleases = await destroyStack(context, name);
  await forgetAllSecrets(context, environment, before);
  context.terminal.step('destroy', 'foundation');
  const forgetFoundation = await destroyStack(context, foundationStack(name));
  const left = await survey(
    context,
    environment,
    before.map(({ host }) => host),
  );
  const sweepAll = async (part: readonly Inventory[]) => {
    await Promise.all(
      part.map(async (remains) => removeInventory(await context.connections.engine(remains.host), remains, withData)),
    );
  };
  // The network of a swarm goes when no edge is in it any more.
  await sweepAll(left.filter(({ host }) => !schedulesReplicas(host)));
  await sweepAll(left.filter(({ host }) => schedulesReplicas(host)));
  await forgetReleases();
  await forgetFoundation();
}

/**
 * Destroys a stack. What Pulumi cannot remove the sweep does, so its failure is no end; its record is then to be
 * forgotten once the hosts are clean, by the function returned.
 */
async function destroyStack(context: CommandContext, stack: string): Promise<() => Promise<void>> {
  const stacks = await context.stackRunner();
  try {
    await stacks.destroy(stack, providerContext(context.session, false));
    return async () => undefined;
  } catch (error) {
    if (error instanceof LockageError && error.code === ExitCode.locked) throw error;
    const reason = error instanceof LockageError ? [error.message, ...error.details].join('; ') : String(error);
    context.terminal.note(
      colors.dim(`Pulumi did not remove all of ${stack}, so it is removed by its labels: ${reason}`),
    );
    return () => stacks.forget(stack);
  }
}

async function forgetAllSecrets(
  context: CommandContext,
  environment: Environment,
  before: readonly Inventory[],
): Promise<void> {
  const place = { app: context.project.app, environment: environment.name };
  await Promise.all(
    before.map(async ({ host, containers }) => {
      if (schedulesReplicas(host)) return;
      const names = containers.filter(({ part }) => part !== 'edge').map(({ name }) => name);
      const engine = await context.connections.engine(host);
      await forgetSecrets(engine, place, names).catch(() => {
        const folder = `/run/lockage/${place.app}/${place.environment}`;
        context.terminal.note(
          `${host.name}: no edge runs to clear ${folder}, which is in memory only: a restart of the host does`,
        );
      });
    }),
  );
}

function refuseRemains(environment: string, after: readonly Inventory[], withData: boolean): void {
  const left = after.flatMap(({ host, containers, networks, volumes, data, secrets }) =>
    [...containers.map(({ name }) => name), ...networks, ...volumes, ...secrets, ...(withData ? data : [])].map(
      (name) => `${host.name}: ${name}`,
    ),
  );
  if (left.length === 0) return;
  throw new LockageError(`${environment} is not gone`, {
    code: ExitCode.broken,
    details: left,
    hint: `Run \`lockage destroy ${environment}\` again.`,
  });
}
