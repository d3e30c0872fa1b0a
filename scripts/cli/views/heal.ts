import type { HealResult } from '../../../pipelines/operations/heal.ts';
import { colors } from '../../tools/colors.ts';
import { durationText } from '../../tools/format.ts';

/** Shows what was healed, or would be where no plan says it. */
export function healLines(environment: string, { outcome, treated, left, plan, revision, kept }: HealResult): string[] {
  if (outcome === 'nothing drifted') return [`${colors.green('✓')} ${colors.bold(environment)}  nothing drifted`];
  if (outcome === 'planned') {
    if (plan) return [];
    return left.map(({ host, drift, remedy }) => `${environment}: ${host.name} ${drift.what} stays. ${remedy}`);
  }
  const parts = `${treated.length} ${treated.length === 1 ? 'thing' : 'things'} that drifted`;
  const as = revision ? `, revision ${revision.number}: ${durationText(revision.duration)}` : '';
  return [
    `${environment} is as it is recorded again, with ${parts} made again${as}`,
    ...(kept === undefined ? [] : [`What was found of them is in ${kept}`]),
  ];
}

/** Returns it as `--json` has it. */
export function healJson([name, { treated, left, ...result }]: [environment: string, result: HealResult]) {
  return {
    name,
    ...result,
    treated: treated.map(({ host, ...each }) => ({ host: host.name, ...each })),
    left: left.map(({ host, ...each }) => ({ host: host.name, ...each })),
  };
}
