import type { JobResult } from '../../../pipelines/model/verification.ts';
import type { VerifyResult } from '../../../pipelines/operations/verify.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { colors } from '../../tools/colors.ts';
import { durationText } from '../../tools/format.ts';

/** Says which jobs a release passed. */
export function verifiedLines({ environment, version, revision, results }: VerifyResult): string[] {
  return [...results.map(resultLine), `${version} (revision ${revision}) passed in ${environment}`];
}

/** Shows how the jobs of a revision ended, with the end of their output. */
export function jobLines(results: readonly JobResult[], now: number): string[] {
  return results.flatMap((result) => [
    `${resultLine(result)} ${colors.dim(`${agoText(result.at, now)}, in ${result.image}`)}`,
    ...result.log.map((line) => `    ${line}`),
  ]);
}

function resultLine({ job, passed, why = 'failed', duration, tries }: JobResult): string {
  const end = passed ? `${colors.green('✓')} ${job}` : `${colors.red('✗')} ${job}: ${why}`;
  return `${end} after ${durationText(duration)}${tries === 1 ? '' : `, ${tries} tries`}`;
}
