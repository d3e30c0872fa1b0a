import { restsAsStandby } from '../../model/container-spec.ts';
import { onActiveHosts } from '../../model/cordons.ts';
import type { PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { HostReport } from '../../model/host-report.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Revision } from '../../model/revision.ts';
import { endingFirst } from '../../planning/stop-first.ts';
import { refuseAhead } from '../../policy/fence.ts';
import { refuseChanged } from '../../policy/unchanged.ts';
import type { Context } from '../ports.ts';
import { refuseOlderState } from './agree.ts';
import { startInTurn } from './start-in-turn.ts';
import { withEnvironmentLock } from './with-lock.ts';

/** A rollback that is recorded, and that some containers without traffic rest of: it could not start them. */
export interface UnfinishedRollback {
  /** what it was found in */
  readonly record: EnvironmentRecord;
  readonly revision: Revision;
  readonly resting: readonly PlacedContainer[];
  /** what has to end before that starts */
  readonly ending: readonly PlacedContainer[];
}

/**
 * Returns what is left to do of the rollback that serves now; undefined where `to` names another revision, or nothing is
 * left. Asks the hosts only where it can be so.
 */
export async function unfinishedRollback(
  context: Context,
  environment: Environment,
  record: EnvironmentRecord,
  to: string | undefined,
): Promise<UnfinishedRollback | undefined> {
  const revision = currentRevision(record.ledger);
  if (revision?.kind !== 'rollback' || !isMeant(revision, to)) return undefined;
  const serving = onActiveHosts(record.ledger, existingContainers(record, revision));
  if (!serving.some(({ spec }) => restsAsStandby(spec))) return undefined;
  const reports = await context.hosts.look(environment);
  await refuseOlderState(context, { environment, record, reports });
  const resting = serving.filter((placed) => restsAsStandby(placed.spec) && rests(reports, placed));
  return resting.length === 0 ? undefined : { record, revision, resting, ending: endingFirst(record, serving) };
}

/** Starts what rests of a rollback. Moves no traffic, and makes no revision. Throws LockageError. */
export async function finishRollback(
  context: Context,
  environment: Environment,
  { record, revision, resting, ending }: UnfinishedRollback,
): Promise<void> {
  const { version } = revision.release;
  const names = resting.map(({ host, spec }) => `${spec.role} on ${host.name}`).join(', ');
  await context.terminal.confirm(`Start what rests of ${version} in ${environment.name} (${names})?`);
  await withEnvironmentLock(context, { environment, purpose: 'rollback' }, async () => {
    const now = await context.records.environment(environment.name);
    refuseChanged(environment, record, now);
    refuseAhead(environment, now, await context.hosts.look(environment));
    await startInTurn(context, environment, { start: resting, stop: [], first: ending });
  });
  context.terminal.note(`the rollback to ${version} is whole: ${names} started; \`--to\` goes further back`);
}

function isMeant({ number, restores, release }: Revision, to: string | undefined): boolean {
  return to === undefined || [number, restores, release.version].map(String).includes(to);
}

function rests(reports: readonly HostReport[], { host, spec }: PlacedContainer): boolean {
  const report = reports.find((candidate) => candidate.host.name === host.name);
  return report !== undefined && report.present.has(spec.name) && !report.running.has(spec.name);
}
