import type { Environment } from '../../../pipelines/model/environment.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { withEnvironmentLockIfReachable } from '../../../pipelines/operations/steps/with-lock.ts';
import { foundationStack } from '../../../infra/pulumi/stack-names.ts';
import type { CommandContext } from '../open-context.ts';
import { toRecord, type TargetRecord } from '../../../pipelines/model/target-record.ts';

/**
 * `lockage destroy` of an environment that owns its machines: what is on them goes with them, so nothing is removed
 * from them one by one, and one that does not answer is no hindrance.
 */
export async function destroyMachines(
  context: CommandContext,
  environment: Environment,
  withData: boolean,
): Promise<void> {
  const { name } = environment;
  const [{ recorded, names, urls }, { ledger, containers }, foundation] = await Promise.all([
    context.machines.present(name),
    context.records.environment(name),
    context.records.foundation(name),
  ]);
  if (!recorded && names.length === 0 && ledger.revisions.length === 0 && foundation === undefined) {
    context.terminal.result({ outcome: 'nothing to do', environment: name }, [
      `${name} has no machines and no record: nothing to do`,
    ]);
    return;
  }
  refuseOtherHosts(
    environment,
    containers.map(({ host }) => toRecord(host)).filter(({ url }) => !urls.includes(url)),
  );
  refuseDataLoss(environment, foundation !== undefined, withData);
  for (const machine of names) context.terminal.line(`  - machine ${machine}, with all that is on it`, 'stderr');
  await context.terminal.confirm(`Remove all of this, and the record of ${name}?`);
  // The lock is on a machine, and goes with it.
  await withEnvironmentLockIfReachable(context, environment, 'destroy', async () => {
    const stacks = await context.stackRunner();
    context.terminal.step('destroy', 'records');
    for (const stack of [name, foundationStack(name)]) await stacks.forget(stack);
    context.terminal.step('destroy', 'machines');
    await context.machines.destroy(name);
  });
  context.terminal.result({ outcome: 'destroyed', environment: name, machines: names, kept: [] }, [
    `${name} is gone, with ${names.length === 1 ? 'its machine' : `its ${names.length} machines`}`,
  ]);
}

/** An environment that owned machines until its targets were changed still has them, until a promotion removes them. */
export async function refuseFormerMachines(context: CommandContext, environment: string): Promise<void> {
  const { recorded, names } = await context.machines.present(environment);
  if (!recorded) return;
  throw new LockageError(`${environment} still has machines of its own, which are not among its targets`, {
    details: names,
    hint: 'Promote the serving version again, which removes them; or configure its targets as before.',
  });
}

/** Containers on a host that is no machine would not go with the machines. */
function refuseOtherHosts({ name }: Environment, others: readonly TargetRecord[]): void {
  if (others.length === 0) return;
  throw new LockageError(`${name} has containers on hosts that are not its machines`, {
    details: [...new Set(others.map((host) => `${host.name}: ${host.url}`))],
    hint: 'Promote the serving version again, which removes them; or configure its targets as before.',
  });
}

function refuseDataLoss({ name, accessories }: Environment, standing: boolean, withData: boolean): void {
  const owners = accessories.filter(({ volumes }) => Object.keys(volumes).length > 0);
  if (!standing || withData || owners.length === 0) return;
  throw new LockageError(`the machines of ${name} hold data, which would go with them`, {
    details: owners.map((accessory) => `${accessory.name} on ${accessory.host}`),
    hint: `Copy it elsewhere, or run \`lockage destroy ${name} --volumes\`.`,
  });
}
