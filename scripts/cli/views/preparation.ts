import type { HostProbe, Preparation, PreparationStep } from '../../../pipelines/hosts/preparation.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import { colors } from '../../tools/colors.ts';
import { durationText, table } from '../../tools/format.ts';

/** Shows what will be done on a machine and in the environment's file, before it is done. */
export function preparationLines(
  host: SshHost,
  machine: HostProbe,
  { steps, kept }: Preparation,
  file: string,
  isNew: boolean,
): string[] {
  const rows = steps.map(({ action, subject, text }) => [mark(action), subject, text]);
  const inFile = isNew
    ? [colors.green('  +'), file, `add the target ${host.name}`]
    : [colors.dim('  ='), file, `has ${host.name}`];
  return [
    `${colors.bold(host.name)}  ${host.endpoint.url}, ${machine.system}, ${machine.architecture}`,
    ...table([...rows, inFile]),
    ...kept.map((setting) => `    ${colors.yellow('stays')} as somebody set it there: ${setting}`),
  ];
}

/** Shows one step, when it is done. */
export function doneLine({ action, subject, text }: PreparationStep, milliseconds: number | undefined): string {
  return milliseconds === undefined
    ? `${colors.green('✓')} ${subject}: ${action === 'none' ? text : ''}`
    : `${colors.green('✓')} ${subject}: ${past[action]} ${colors.dim(durationText(milliseconds))}`;
}

const past: Record<PreparationStep['action'], string> = {
  configure: 'written',
  install: 'installed and started',
  start: 'started',
  restart: 'restarted',
  join: 'joined the group docker',
  none: 'as it should be',
};

function mark(action: PreparationStep['action']): string {
  if (action === 'none') return colors.dim('  =');
  return action === 'restart' ? colors.yellow('  ~') : colors.green('  +');
}
