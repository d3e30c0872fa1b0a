import type { ContainerChange, Difference, Plan } from '../../../pipelines/model/plan.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';
import { passedLines } from './gates.ts';

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
    colors.dim(`(${shortDigest(release.digest)}, revision ${plan.number}`) + colors.dim(`, ${nowText(from)})`),
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
    ...passedLines(plan.gates ?? []),
    ...(plan.migration ? ['  migration runs first, once'] : []),
    ...table(rows),
    ...differenceLines(plan.differences),
    ...plan.notes.map((note) => `  ${note}`),
    ...(plan.hold
      ? [`  hold: nothing is promoted to ${plan.environment} until \`lockage resume ${plan.environment}\``]
      : []),
  ];
}

function nowText(from: Plan['from']): string {
  if (!from) return 'nothing runs yet';
  return `now ${from.release.version} ${shortDigest(from.release.digest)} revision ${from.number}`;
}

/** Shows what changes for each role: `web: limits.memory 256 → 512, env.LOG_LEVEL is new`. */
function differenceLines(differences: readonly Difference[]): string[] {
  const roles = [...new Set(differences.map(({ role }) => role))];
  return roles.map((role) => {
    const own = differences.filter((each) => each.role === role);
    return `  ${role}: ${own.map(differenceText).join(', ')}`;
  });
}

function differenceText({ key, change, from, to }: Difference): string {
  if (key === undefined) return change === 'new' ? 'the role is new' : 'the role goes';
  if (from !== undefined && to !== undefined) return `${key} ${from} → ${to}`;
  if (change === 'changed') return `${key} changes`;
  const value = to ?? from;
  return `${key}${value === undefined ? '' : ` ${value}`} ${change === 'new' ? 'is new' : 'goes'}`;
}
