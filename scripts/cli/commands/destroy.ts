import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import { findReproduction, removeReproduction } from '../../project/reproductions.ts';
import { colors } from '../../tools/colors.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface DestroyFlags extends Flags {
  readonly volumes?: boolean;
}

/** Runs `lockage destroy`. */
export async function destroyCommand(environment: string, flags: DestroyFlags, signal: AbortSignal): Promise<void> {
  const reproduced = await findReproduction(process.cwd(), environment);
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const result = await perform(context, 'destroy', { environment, withData: flags.volumes ?? false }, waitOf(flags));
    // Data that stay can be read by nothing but the secrets that are kept here.
    if (reproduced && !keepsData(result)) await removeReproduction(reproduced.folder);
    context.terminal.result(jsonOf(result), linesOf(result));
  });
}

function keepsData(result: ResultOf<'destroy'>): boolean {
  return result.outcome === 'destroyed' && (result.kept ?? []).length > 0;
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
