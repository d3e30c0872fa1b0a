import { LockageError } from '../../../pipelines/errors.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { liftLock, readLock, type LockHolder } from '../../../infra/hosts/environment-lock.ts';
import { agoText } from '../../tools/format.ts';
import { runCommand } from '../run-command.ts';
import type { Flags } from '../options.ts';

/** `lockage unlock` */
export async function unlockCommand(name: string, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const environment = environmentNamed(context.project, name);
    const { ledger } = await context.records.environment(environment.name);
    const [host] = withoutCordoned(environment, ledger).hosts;
    if (!host) return;
    const engine = await context.connections.engine(host);
    const place = { app: context.project.app, environment: environment.name };
    const holder = await readLock(engine, place);
    if (!holder) {
      context.terminal.result({ outcome: 'not locked' }, [`${environment.name} is not locked: nothing to do`]);
      return;
    }
    const since = agoText(holder.since, context.now());
    context.terminal.note(
      `${environment.name} is locked by ${holder.actor} since ${since}: ${holder.purpose} (process ${holder.pid} on ${holder.machine})`,
    );
    await context.terminal.confirm('Lift it? Two operations at once may leave the environment half-way.');
    if (!isSame(holder, await readLock(engine, place))) {
      throw new LockageError(`the lock of ${environment.name} changed hands meanwhile: nothing was lifted`, {
        hint: `Run \`lockage unlock ${environment.name}\` again to see who holds it now.`,
      });
    }
    await liftLock(engine, place);
    context.terminal.result({ outcome: 'unlocked', holder }, [`${environment.name} is unlocked`]);
  });
}

function isSame(a: LockHolder, b: LockHolder | undefined): boolean {
  return b !== undefined && a.since === b.since && a.pid === b.pid && a.machine === b.machine;
}
