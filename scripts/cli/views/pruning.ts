import type { PruneResult } from '../../../pipelines/operations/prune.ts';
import type { StoredThing } from '../../../pipelines/planning/plan-pruning.ts';
import { colors } from '../../tools/colors.ts';
import { bytesText, table } from '../../tools/format.ts';

/** Shows each thing that is stored, whether it goes, how large it is, and why. */
export function thingLines(things: readonly StoredThing[]): string[] {
  const header = ['', 'where', 'what', 'name', 'size', 'why'].map((word) => colors.dim(word));
  const rows = things.map(({ kept, place, kind, name, bytes, reason }) => [
    kept ? colors.dim('  = keep') : colors.red('  - remove'),
    place,
    kind,
    name,
    bytes === undefined ? '?' : bytesText(bytes),
    reason,
  ]);
  return rows.length === 0 ? [] : table([header, ...rows]);
}

/** Shows how a pruning ended. */
export function pruneLines({ outcome, things, freed, failed, notes }: PruneResult): string[] {
  const gone = things.filter(({ kept }) => !kept);
  const count = `${gone.length} thing${gone.length === 1 ? '' : 's'}`;
  const ends: Readonly<Record<PruneResult['outcome'], string>> = {
    planned: gone.length === 0 ? 'nothing would be removed' : `${count} would be removed`,
    'nothing to do':
      failed.length === 0
        ? 'everything that is stored is needed: nothing to do'
        : 'nothing to do where it could be seen',
    pruned: `${count} removed, ${bytesText(freed)}`,
  };
  return [
    ends[outcome],
    ...notes.map((note) => `${colors.yellow('!')} ${note}`),
    ...failed.map(({ place, reason }) => `${colors.red('✗')} ${place}: ${withoutName(place, reason)}`),
  ];
}

function withoutName(place: string, reason: string): string {
  return reason.startsWith(`${place}: `) ? reason.slice(place.length + 2) : reason;
}
