import { checkParity } from '../../hosts/parity.ts';
import { withoutCordoned } from '../../model/cordons.ts';
import type { Environment } from '../../model/environment.ts';
import type { HostReport, PreflightReport } from '../../model/host-report.ts';
import type { HostTraits } from '../../model/host-traits.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import { upstream } from '../../model/pipeline.ts';
import type { Release } from '../../model/release.ts';
import { schedulesReplicas } from '../../model/target.ts';
import { isAhead } from '../../policy/fence.ts';
import { checkPlatform } from '../../policy/release-checks.ts';
import { refuseStrangers, unknownHosts } from '../../policy/strangers.ts';
import type { Context } from '../ports.ts';

/** Asks all hosts whether they can take a release. Throws LockageError naming each one that cannot, and why. */
export async function preflight(
  context: Context,
  environment: Environment,
  release: Release,
): Promise<readonly PreflightReport[]> {
  context.terminal.step('preflight', environment.hosts.map(({ name }) => name).join(' '));
  const [reports, before] = await Promise.all([
    context.hosts.preflight(environment, environment.same),
    traitsBefore(context, environment),
  ]);
  checkPlatform(release, reports, environment.emulates);
  for (const { host, warnings } of reports) for (const text of warnings) context.terminal.note(`${host.name}: ${text}`);
  refuseUnlike(environment, reports, before);
  return reports;
}

/** Throws LockageError for hosts where another project has an environment with the same names. Others are not asked more. */
export async function refuseForeignProject(
  { hosts, project: { app } }: Context,
  environment: Environment,
  record: EnvironmentRecord,
  reports: readonly HostReport[],
): Promise<void> {
  const unknown = unknownHosts(record, reports);
  if (unknown.length === 0 || isAhead(record, reports)) return;
  refuseStrangers({ app, environment: environment.name }, record, await hosts.kept(environment, unknown));
}

/** Throws LockageError for hosts that differ in what has to be the same, among them or from those `before`. */
export function refuseUnlike(
  environment: Environment,
  reports: readonly PreflightReport[],
  before: readonly HostTraits[],
): void {
  checkParity(environment, reports.filter(({ host }) => !schedulesReplicas(host)).map(traitsIn(environment)), before);
}

/**
 * Returns what hosts in service are made of that those of the environment have to be like. Nobody is asked where nothing is
 * demanded. Throws LockageError.
 */
export async function traitsBefore(context: Context, environment: Environment): Promise<readonly HostTraits[]> {
  if (environment.same.length === 0) return [];
  const found = upstream(context.project, environment).map(async (configured) => {
    const { ledger } = await context.records.environment(configured.name);
    return context.hosts.traits(withoutCordoned(configured, ledger), environment.same);
  });
  return (await Promise.all(found)).flat();
}

function traitsIn({ name }: Environment): (report: PreflightReport) => HostTraits {
  return ({ host, traits }) => ({ environment: name, host: host.name, traits });
}
