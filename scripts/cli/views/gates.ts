import type { Gate } from '../../../pipelines/model/gate.ts';
import type { WhyResult } from '../../../pipelines/operations/why.ts';
import { whenText } from '../../../pipelines/text/moment.ts';
import type { BrokenGlass } from '../../../pipelines/model/revision.ts';
import { gateNames } from '../../../pipelines/policy/break-glass.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

/** Shows every gate, when those that are closed open, and what helps. */
export function whyLines({ version, environment, mayEnter, gates }: WhyResult): string[] {
  const closed = gates.filter(({ met }) => !met).length;
  const end = mayEnter
    ? colors.green(`${version} may enter ${environment}`)
    : colors.red(`${version} may not enter ${environment}: ${closed} of ${gates.length} gates are closed`);
  return [...table(gates.map(gateRow)), end];
}

function gateRow({ gate, from, met, text, until, command, remedy }: Gate): string[] {
  const mark = met ? colors.green('✓') : colors.red('✗');
  const help = command === undefined ? (remedy ?? '') : `\`${command}\``;
  const opens = until === undefined ? '' : `opens ${whenText(until)}`;
  return [`  ${mark}`, from === undefined ? gate : `${gate} ${from}`, text, [opens, help].filter(Boolean).join('; ')];
}

/** Says which gates somebody passed although they were not met, and why. */
export function glassText({ reason, gates }: BrokenGlass, actor: string): string {
  return `${colors.red('BROKE THE GLASS')} ${actor} passed ${gateNames(gates)}: ${printable(reason.split('\n')[0] ?? '')}`;
}

/** Shows the gates that a release has passed, for a plan. */
export function passedLines(gates: readonly Gate[]): string[] {
  return gates.map(({ met, text }) =>
    met ? `  ${colors.green('✓')} ${colors.dim(text)}` : `  ${colors.red('✗ passed by breaking the glass:')} ${text}`,
  );
}
