import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { toRecord } from '../model/target-record.ts';
import { refuseChanged } from '../policy/unchanged.ts';
import type { DestroyResult, RemovalOptions } from './destroy-result.ts';
import type { MachinesPresent } from './ports/machines.ts';
import type { Context } from './ports.ts';
import { withEnvironmentLockIfReachable } from './steps/with-lock.ts';

/**
 * Destroys an environment that owns its machines: what is on them goes with them, so nothing is removed from them one by
 * one, and one that does not answer is no hindrance. Throws LockageError.
 */
export async function destroyMachines(
  context: Context,
  environment: Environment,
  options: RemovalOptions,
): Promise<DestroyResult> {
  const { name } = environment;
  const [present, record, recorded] = await Promise.all([
    context.machines.present(name),
    context.records.environment(name),
    context.removal.recorded(name),
  ]);
  const { names } = present;
  if (!present.recorded && names.length === 0 && recorded.size === 0 && !options.before)
    return { outcome: 'nothing to do', environment: name };
  refuseOtherHosts(name, present, record);
  refuseDataLoss(environment, recorded.has('foundation'), options);
  context.terminal.machines(names);
  await context.terminal.confirm(options.question);
  // The lock is on a machine, and goes with it.
  await withEnvironmentLockIfReachable(context, { environment, purpose: options.command }, async () => {
    const now = await context.records.environment(name);
    refuseChanged(environment, record, now);
    // What is recorded goes with the machines, and never without them.
    await context.machines.destroy(name, async () => {
      await options.before?.(now);
      context.terminal.step('destroy', 'records');
      for (const part of ['releases', 'foundation'] as const) await context.removal.forgetStack(name, part);
      context.terminal.step('destroy', 'machines');
    });
  });
  return { outcome: 'destroyed', environment: name, kept: [], hosts: [], machines: names };
}

/**
 * Throws LockageError when an environment owned machines until its targets were changed: it still has them, until a
 * promotion removes them.
 */
export async function refuseFormerMachines({ machines }: Context, environment: string): Promise<void> {
  const { recorded, names } = await machines.present(environment);
  if (!recorded) return;
  throw new LockageError(`${environment} still has machines of its own, which are not among its targets`, {
    details: names,
    hint: 'Promote the serving version again, which removes them; or configure its targets as before.',
  });
}

/** Refuses containers on a host that is no machine: they would not go with the machines. */
function refuseOtherHosts(environment: string, { urls }: MachinesPresent, { containers }: EnvironmentRecord): void {
  const others = containers.map(({ host }) => toRecord(host)).filter(({ url }) => !urls.includes(url));
  if (others.length === 0) return;
  throw new LockageError(`${environment} has containers on hosts that are not its machines`, {
    details: [...new Set(others.map((host) => `${host.name}: ${host.url}`))],
    hint: 'Promote the serving version again, which removes them; or configure its targets as before.',
  });
}

function refuseDataLoss(
  { name, accessories }: Environment,
  standing: boolean,
  { command, withData }: RemovalOptions,
): void {
  const owners = accessories.filter(({ volumes }) => Object.keys(volumes).length > 0);
  if (!standing || withData || owners.length === 0) return;
  throw new LockageError(`the machines of ${name} hold data, which would go with them`, {
    details: owners.map((accessory) => `${accessory.name} on ${accessory.host}`),
    hint: `Copy it elsewhere, or run \`lockage ${command} ${name} --volumes\`.`,
  });
}
