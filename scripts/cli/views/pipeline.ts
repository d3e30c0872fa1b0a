import type { Passage } from '../../../pipelines/operations/run-pipeline.ts';
import { hintOf } from '../../../pipelines/policy/gates.ts';
import { colors } from '../../tools/colors.ts';

/** What became of a release in one environment, for people and for machines. */
export interface PassageEnd extends Omit<Passage, 'error'> {
  readonly error?: {
    readonly message: string;
    readonly details: readonly string[];
    readonly hint?: string;
    readonly code: number;
  };
}

/** Shows how far a release came, environment by environment. */
export function pipelineLines(version: string, ends: readonly PassageEnd[]): string[] {
  return ends.flatMap((end) => {
    const { environment, gates = [], error } = end;
    const hint = error?.hint ?? hintOf(gates);
    return [
      `${markOf(end)} ${environment} ${textOf(end, version)}`,
      ...gates.map(({ text }) => `    ${text}`),
      ...(error?.details ?? []).map((line) => `    ${line}`),
      ...(hint === undefined ? [] : [`    ${colors.dim(hint)}`]),
    ];
  });
}

function markOf({ outcome }: PassageEnd): string {
  if (outcome === 'promoted' || outcome === 'runs') return colors.green('✓');
  return outcome === 'failed' || outcome === 'locked' ? colors.red('✗') : colors.dim('-');
}

function textOf({ outcome, revision, error }: PassageEnd, version: string): string {
  switch (outcome) {
    case 'promoted':
      return `runs ${version}, revision ${revision}`;
    case 'runs':
      return `runs ${version} already`;
    case 'would promote':
      return `would get ${version}: all gates are met`;
    case 'waits':
      return `waits: ${version} may not enter yet`;
    case 'by hand':
      return 'is promoted by hand';
    case 'newer':
      return `runs a newer release than ${version}`;
    case 'not tried':
      return 'was not tried';
    case 'locked':
    case 'failed':
      return `does not get ${version}: ${error?.message ?? 'it failed'}`;
  }
}
