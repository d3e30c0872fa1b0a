import type { Drill } from '../../../pipelines/model/revision.ts';
import { colors } from '../../tools/colors.ts';
import { durationText } from '../../tools/format.ts';

/** How the drill of one environment ended. */
export interface DrillEnd {
  readonly environment: string;
  readonly outcome: 'proven' | 'nothing to go back to' | 'failed' | 'not tried';
  readonly drill?: Drill;
  readonly error?: { readonly message: string; readonly code: number; readonly details: readonly string[] };
}

/** Says what a drill has proven. */
export function drillText(environment: string, { version, revision, duration, from }: Drill): string {
  const how = from === 'standby' ? 'by its standby' : 'with containers that were made for it';
  return `${environment} can go back to ${version} (revision ${revision}) ${how}: ready after ${durationText(duration)}`;
}

/** Shows how the drills of environments ended, one line each. */
export function drillLines(ends: readonly DrillEnd[]): string[] {
  return ends.flatMap(({ environment, outcome, drill, error }) => {
    if (error)
      return [`${colors.red('✗')} ${environment}: ${error.message}`, ...error.details.map((line) => `    ${line}`)];
    if (drill) return [`${colors.green('✓')} ${drillText(environment, drill)}`];
    const why = outcome === 'not tried' ? 'was not tried' : 'has nothing to go back to';
    return [`${colors.dim('-')} ${environment} ${why}`];
  });
}
