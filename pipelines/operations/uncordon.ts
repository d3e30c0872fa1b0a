import { withoutCordon, withoutCordoned } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import type { PreflightReport } from '../model/host-report.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Cordon, Revision } from '../model/revision.ts';
import { refuseOtherChanges } from '../planning/plan-rollout.ts';
import type { SecretVersions } from '../planning/rollout-inputs.ts';
import { refuseAhead } from '../policy/fence.ts';
import { checkHost } from '../policy/host-checks.ts';
import { checkPlatform } from '../policy/release-checks.ts';
import { refuseOtherHosts } from '../policy/unchanged.ts';
import type { CordonRequest } from './cordon.ts';
import type { Context } from './ports.ts';
import { operationInfo } from './steps/operation-info.ts';
import { recordAgain } from './steps/record-again.ts';
import { rollOut } from './steps/rollout.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** How it ended. */
export type UncordonResult =
  | { readonly outcome: 'not cordoned' }
  | { readonly outcome: 'in service'; readonly cordon: Cordon; readonly revision?: Revision };

/**
 * Takes a host back into service: it gets what the environment runs, which has to prove itself there, and only then traffic.
 * Throws LockageError, also when the configuration has changed since; the host stays cordoned then.
 */
export async function uncordon(context: Context, request: CordonRequest): Promise<UncordonResult> {
  const startedAt = context.now();
  const whole = environmentNamed(context.project, request.environment);
  checkHost(whole, request.host);
  const seen = await context.records.environment(whole.name);
  if (!cordonOf(seen, request.host)) {
    await context.machines.routeTo(whole);
    return { outcome: 'not cordoned' };
  }

  const environment = withoutCordoned(whole, withoutCordon(seen.ledger, request.host));
  context.terminal.step('preflight', environment.hosts.map(({ name }) => name).join(' '));
  const early = await context.hosts.preflight(environment);
  const versions = await context.secrets.read(environment, currentRevision(seen.ledger)?.secretVersions);
  const serving = withoutCordoned(whole, seen.ledger);
  return withEnvironmentLock(context, { environment: serving, purpose: `uncordon ${request.host}` }, async () => {
    const record = await context.records.environment(whole.name);
    refuseOtherHosts(whole, seen, record);
    const found = cordonOf(record, request.host);
    if (!found) return { outcome: 'not cordoned' };
    const changed = record.basis !== seen.basis;
    const reports = changed ? await context.hosts.preflight(environment) : early;
    refuseAhead(whole, record, reports);
    const returning = { request, startedAt, whole, environment, record, found, reports, versions };
    return takeBack(context, returning);
  });
}

/** A host on its way back, under the lock. */
interface Returning {
  readonly request: CordonRequest;
  readonly startedAt: number;
  /** with its cordoned hosts */
  readonly whole: Environment;
  /** with the returning host */
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly found: Cordon;
  readonly reports: readonly PreflightReport[];
  readonly versions: SecretVersions;
}

async function takeBack(context: Context, returning: Returning): Promise<UncordonResult> {
  const { request, startedAt, whole, environment, record, found, reports, versions } = returning;
  const ledger = withoutCordon(record.ledger, request.host);
  const current = currentRevision(ledger);
  if (!current) return recordBack(context, returning);
  checkPlatform(current.release, reports);
  const back = { environment, release: current.release, record: { ...record, ledger }, reports, versions };
  const inputs = { ...operationInfo(context), ...back };
  refuseOtherChanges(inputs);
  const reason = request.reason ?? `${request.host} is back in service`;
  const { outcome, revision } = await rollOut(context, inputs, { startedAt, whole, reason, before: record });
  if (outcome === 'unchanged') return recordBack(context, returning);
  return { outcome: 'in service', cordon: found, ...(revision ? { revision } : {}) };
}

async function recordBack(
  context: Context,
  { request, environment, record, found, reports }: Returning,
): Promise<UncordonResult> {
  const ledger = withoutCordon(record.ledger, request.host);
  await recordAgain(context, environment, { record, ledger, reports, message: `uncordon ${request.host}` });
  await context.machines.routeTo(environment);
  return { outcome: 'in service', cordon: found };
}

function cordonOf({ ledger }: EnvironmentRecord, name: string): Cordon | undefined {
  return ledger.cordons?.find(({ host }) => host === name);
}
