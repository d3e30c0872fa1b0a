import { colors } from '../../tools/colors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { ExitCode, LockageError } from '../../../pipelines/errors.ts';
import { underLock } from '../../../pipelines/operations/steps/with-lock.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { hostsToAsk } from '../../../pipelines/inspection/status.ts';
import { forgetSecrets, remainsOf, sweep, type Remains } from '../../../infra/hosts/inventory.ts';
import { foundationStack } from '../../../infra/pulumi/stack-names.ts';
import { workshopOf } from '../../../infra/context/session.ts';
import { remainsLines } from '../views/inventory.ts';
import { destroyMachines, refuseFormerMachines } from './destroy-machines.ts';
import { withWorld } from '../run-command.ts';
import type { LiveWorld } from '../open-context.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import type { Flags } from '../options.ts';

interface DestroyFlags extends Flags {
  readonly volumes?: boolean;
}

/** `lockage destroy` */
export async function destroyCommand(name: string, flags: DestroyFlags, signal: AbortSignal): Promise<void> {
  await withWorld(flags, signal, async (world) => {
    const environment = environmentNamed(world.project, name);
    const withData = flags.volumes ?? false;
    if (environment.machines) return destroyMachines(world, environment, withData);
    await refuseFormerMachines(world, name);
    await underLock(world, environment, 'destroy', async () => {
      // Also those that are only recorded any more.
      const hosts = hostsToAsk(environment, await world.records.environment(environment.name));
      const before = await survey(world, environment, hosts);
      if (!(await isThere(world, environment.name, before, withData))) {
        world.terminal.result({ outcome: 'nothing to do', environment: environment.name }, [
          `${environment.name} has nothing on its hosts and no record: nothing to do`,
        ]);
        return;
      }
      for (const line of remainsLines(before, withData)) world.terminal.line(line, 'stderr');
      await world.terminal.confirm(`Remove all of this, and the record of ${environment.name}?`);
      await destroy(world, environment, before, withData);
      const after = await survey(world, environment, hosts);
      refuseRemains(environment.name, after, withData);
      const kept = after.flatMap(({ host, data }) => data.map((volume) => ({ host: host.name, volume })));
      world.terminal.result({ outcome: 'destroyed', environment: environment.name, kept }, [
        `${environment.name} is gone from ${before.map(({ host }) => host.name).join(', ')}`,
        ...kept.map(
          ({ host, volume }) => `${host}: the data in volume ${volume} stays` + colors.dim(' (--volumes removes it)'),
        ),
      ]);
    });
  });
}

async function survey(world: LiveWorld, environment: Environment, hosts: readonly Host[]): Promise<Remains[]> {
  const place = { app: world.project.app, environment: environment.name };
  return Promise.all(
    hosts.map(async (host) =>
      remainsOf(await world.connections.engine(host), host, place, host === environment.hosts[0]),
    ),
  );
}

async function isThere(
  world: LiveWorld,
  environment: string,
  hosts: readonly Remains[],
  withData: boolean,
): Promise<boolean> {
  const { ledger, containers } = await world.records.environment(environment);
  const foundation = await world.records.foundation(environment);
  const isRecorded = ledger.revisions.length > 0 || containers.length > 0 || foundation !== undefined;
  return isRecorded || hosts.some((remains) => countOf(remains, withData) > 0);
}

function countOf({ containers, networks, volumes, data, secrets }: Remains, withData: boolean): number {
  return containers.length + networks.length + volumes.length + secrets.length + (withData ? data.length : 0);
}

/** First what Pulumi knows of, in its order; then whatever else carries the environment's labels. */
async function destroy(
  world: LiveWorld,
  environment: Environment,
  before: readonly Remains[],
  withData: boolean,
): Promise<void> {
  const { name } = environment;
  world.terminal.step('destroy', 'releases');
  // Nodes end the containers of a service in their own time, for which a promotion does not wait.
  if (environment.swarm) await world.hosts.removeOthers(environment, []);
  const forgetReleases = await destroyStack(world, name);
  await forgetAllSecrets(world, environment, before);
  world.terminal.step('destroy', 'foundation');
  const forgetFoundation = await destroyStack(world, foundationStack(name));
  const left = await survey(
    world,
    environment,
    before.map(({ host }) => host),
  );
  const sweepAll = async (part: readonly Remains[]) => {
    await Promise.all(
      part.map(async (remains) => sweep(await world.connections.engine(remains.host), remains, withData)),
    );
  };
  // The network of a swarm goes when no edge is in it any more.
  await sweepAll(left.filter(({ host }) => !host.managers));
  await sweepAll(left.filter(({ host }) => host.managers));
  await forgetReleases();
  await forgetFoundation();
}

/**
 * Destroys a stack. What Pulumi cannot remove the sweep does, so its failure is no end; its record is then to be
 * forgotten once the hosts are clean, by the function returned.
 */
async function destroyStack(world: LiveWorld, stack: string): Promise<() => Promise<void>> {
  const stacks = await world.stackRunner();
  try {
    await stacks.destroy(stack, workshopOf(world.tools, false));
    return async () => undefined;
  } catch (error) {
    if (error instanceof LockageError && error.code === ExitCode.locked) throw error;
    const reason = error instanceof LockageError ? [error.message, ...error.details].join('; ') : String(error);
    world.terminal.note(colors.dim(`Pulumi did not remove all of ${stack}, so it is removed by its labels: ${reason}`));
    return () => stacks.forget(stack);
  }
}

async function forgetAllSecrets(world: LiveWorld, environment: Environment, before: readonly Remains[]): Promise<void> {
  const place = { app: world.project.app, environment: environment.name };
  await Promise.all(
    before.map(async ({ host, containers }) => {
      if (host.managers) return;
      const names = containers.filter(({ part }) => part !== 'edge').map(({ name }) => name);
      const engine = await world.connections.engine(host);
      await forgetSecrets(engine, place, names).catch(() => {
        const folder = `/run/lockage/${place.app}/${place.environment}`;
        world.terminal.note(
          `${host.name}: no edge runs to clear ${folder}, which is in memory only: a restart of the host does`,
        );
      });
    }),
  );
}

function refuseRemains(environment: string, after: readonly Remains[], withData: boolean): void {
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
