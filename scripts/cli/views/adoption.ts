import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Adoption } from '../../../pipelines/planning/plan-adoption.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

/** Shows what of an environment's record is taken over from its hosts, and what cannot be. */
export function adoptionLines(adoption: Adoption): string[] {
  const { environment, revision, hosts } = adoption;
  const title = `${colors.bold(`${environment}: adopt revision ${revision}`)} ${colors.dim(`(as ${hosts.join(', ')} know it)`)}`;
  return [title, ...aboutLines(adoption), ...table(rowsOf(adoption)), ...noteLines(adoption)];
}

function aboutLines({ current, record: { ledger } }: Adoption): string[] {
  const runs = current
    ? `runs ${current.release.version} (${shortDigest(current.release.digest)}), revision ${current.number} by ${current.actor} at ${current.startedAt}`
    : 'nothing ran well there yet';
  return [
    `  ${runs}`,
    ...(ledger.hold ? [`  ${colors.yellow('HOLD')} by ${ledger.hold.actor}: ${ledger.hold.reason}`] : []),
    ...(ledger.cordons ?? []).map(
      ({ host, actor, reason }) => `  ${colors.yellow('CORDONED')} ${host} by ${actor}: ${reason}`,
    ),
  ];
}

function rowsOf({ taken, missing, unknown, dropped }: Adoption): string[][] {
  const row = (word: string, { host, spec }: PlacedContainer) => [
    `  ${word}`,
    host.name,
    spec.role,
    spec.version,
    colors.dim(spec.name),
  ];
  return [
    ...taken.map((placed) => row(colors.green('= adopt'), placed)),
    ...missing.map((placed) => row(colors.red('! missing'), placed)),
    ...dropped.map((placed) => row(colors.dim('- forget'), placed)),
    ...unknown.map(({ host, name }) => [`  ${colors.yellow('? unknown')}`, host, '', '', colors.dim(name)]),
  ];
}

function noteLines({ missing, unknown, lostSecrets, releases, begun }: Adoption): string[] {
  return [
    ...(missing.length > 0 ? ['  what is missing is not recorded: the next promotion or rollback makes it'] : []),
    ...(unknown.length > 0 ? ['  what is unknown stays until the next promotion, which removes it'] : []),
    ...lostSecrets.map(
      ({ name, version, revisions }) =>
        `  the value of ${name} of ${revisionsText(revisions)} is not known here (version ${version}): its containers cannot be made again`,
    ),
    ...(releases.length > 0 ? [`  releases are recorded: ${releases.map(({ version }) => version).join(', ')}`] : []),
    ...(releases.length > 0 ? ['  hosts know of no block: `lockage block` again what was blocked'] : []),
    ...begun.map(
      ({ revision, operation }) =>
        `  revision ${revision} was begun by operation ${operation} and is in no copy: the next operation takes over`,
    ),
  ];
}

function revisionsText(revisions: readonly number[]): string {
  if (revisions.length === 0) return 'the migration';
  return `revision${revisions.length === 1 ? '' : 's'} ${revisions.join(', ')}`;
}
