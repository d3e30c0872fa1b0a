import type { ContainerChange, Plan } from '../../../pipelines/model/plan.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

const actions: Record<ContainerChange['action'], (text: string) => string> = {
  create: colors.green,
  serve: colors.green,
  keep: colors.dim,
  standby: colors.cyan,
  remove: colors.red,
};

const words: Record<ContainerChange['action'], string> = {
  create: '+ create',
  serve: '> serve',
  keep: '= keep',
  standby: '~ standby',
  remove: '- remove',
};

/** Shows a plan, container by container. */
export function planLines(plan: Plan): string[] {
  const { release, from } = plan;
  const title = [
    colors.bold(`${plan.environment}: ${plan.kind} ${release.version}`),
    colors.dim(`(${shortDigest(release.digest)}, revision ${plan.number}`) +
      colors.dim(from ? `, now ${from.release.version} revision ${from.number})` : ', nothing runs yet)'),
  ].join(' ');
  const rows = plan.containers.map((change) => [
    `  ${actions[change.action](words[change.action])}`,
    change.host,
    change.role,
    change.version,
    colors.dim(change.name),
  ]);
  return [
    title,
    ...(plan.migration ? ['  migration runs first, once'] : []),
    ...table(rows),
    ...plan.notes.map((note) => `  ${note}`),
    ...(plan.hold
      ? [`  hold: nothing is promoted to ${plan.environment} until \`lockage resume ${plan.environment}\``]
      : []),
  ];
}
