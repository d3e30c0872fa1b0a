import { resolve } from 'node:path';
import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import { colors } from '../../tools/colors.ts';
import { bytesText } from '../../tools/format.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { archivedText } from '../views/archive.ts';

interface ArchiveFlags extends Flags {
  readonly output?: string;
  readonly volumes?: boolean;
}

/** Runs `lockage archive`. */
export async function archiveCommand(environment: string, flags: ArchiveFlags, signal: AbortSignal): Promise<void> {
  const { output, volumes: withData = false } = flags;
  const request = { environment, withData, ...(output === undefined ? {} : { file: resolve(output) }) };
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const result = await perform(context, 'archive', request, waitOf(flags));
    const { ledger: _, ...archive } = result.archive;
    context.terminal.result({ outcome: result.outcome, ...archive, kept: result.kept }, linesOf(result));
  });
}

function linesOf({ outcome, archive, kept }: ResultOf<'archive'>): string[] {
  const { environment, file, sha256, bytes } = archive;
  if (outcome === 'archived already') return [`${environment} is ${archivedText(archive)}: nothing to do`];
  return [
    `${environment} is archived: it runs nothing, and its record stays`,
    `${file} has revision ${archive.revision}, ${archive.version}: ${bytesText(bytes)}, SHA-256 ${sha256}`,
    ...kept.map(
      ({ host, volume }) => `${host}: the data in volume ${volume} stays` + colors.dim(' (--volumes removes it)'),
    ),
  ];
}
