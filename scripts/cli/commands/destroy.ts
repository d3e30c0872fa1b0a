import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import { colors } from '../../tools/colors.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface DestroyFlags extends Flags {
  readonly volumes?: boolean;
}

/** Runs `lockage destroy`. */
export async function destroyCommand(environment: string, flags: DestroyFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const result = await perform(context, 'destroy', { environment, withData: flags.volumes ?? false }, waitOf(flags));
    context.terminal.result(jsonOf(result), linesOf(result));
  });
}

function jsonOf(result: ResultOf<'destroy'>): unknown {
  if (result.outcome === 'nothing to do') return result;
  const { hosts: _, ...shown } = result;
  return shown;
}

function linesOf(result: ResultOf<'destroy'>): string[] {
  const { environment } = result;
  if (result.outcome === 'nothing to do')
    return [`${environment} has nothing on its hosts and no record: nothing to do`];
  const { machines, hosts, kept } = result;
  if (machines) {
    const what = machines.length === 1 ? 'its machine' : `its ${machines.length} machines`;
    return [`${environment} is gone, with ${what}`];
  }
  return [
    `${environment} is gone from ${hosts.join(', ')}`,
    ...kept.map(
      ({ host, volume }) => `${host}: the data in volume ${volume} stays` + colors.dim(' (--volumes removes it)'),
    ),
  ];
}
