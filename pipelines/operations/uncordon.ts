import { withoutCordon, withoutCordoned } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { counted } from '../model/fence.ts';
import type { PreflightReport } from '../model/host-report.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Cordon, Revision } from '../model/revision.ts';
import { refuseOtherChanges } from '../planning/plan-rollout.ts';
import type { RolloutInputs, SecretVersions } from '../planning/rollout-inputs.ts';
import { refuseAhead } from '../policy/fence.ts';
import { checkHost } from '../policy/host-checks.ts';
import { checkPlatform } from '../policy/release-checks.ts';
import { isAsSeen, refuseOtherHosts } from '../policy/unchanged.ts';
import type { CordonRequest } from './cordon.ts';
import type { Context } from './ports.ts';
import { agree, type Agreement } from './steps/agree.ts';
import { operationInfo } from './steps/operation-info.ts';
import { recordAgain } from './steps/record-again.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { rollOut } from './steps/rollout.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The outcome of an uncordon. */
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
    await refuseLost(context, whole, seen);
    await context.machines.routeTo(whole);
    return { outcome: 'not cordoned' };
  }

  const environment = withoutCordoned(whole, withoutCordon(seen.ledger, request.host));
  context.terminal.step('preflight', environment.hosts.map(({ name }) => name).join(' '));
  const early = await context.hosts.preflight(environment);
  const versions = await context.secrets.read(environment, currentRevision(seen.ledger)?.secretVersions);
  const draft = { request, startedAt, whole, environment, record: seen, reports: early, versions };
  const agreed = await agreeTo(context, draft);
  const serving = withoutCordoned(whole, seen.ledger);
  return withEnvironmentLock(context, { environment: serving, purpose: `uncordon ${request.host}` }, async () => {
    const record = await context.records.environment(whole.name);
    refuseOtherHosts(whole, seen, record);
    const found = cordonOf(record, request.host);
    if (!found) return { outcome: 'not cordoned' };
    const isOld = agreed !== undefined || !isAsSeen(seen, record);
    const reports = isOld ? await context.hosts.preflight(environment) : early;
    refuseAhead(whole, record, reports);
    return takeBack(context, { ...draft, record, reports }, found, agreed);
  });
}

/** A host on its way back. */
interface Returning {
  readonly request: CordonRequest;
  readonly startedAt: number;
  /** with its cordoned hosts */
  readonly whole: Environment;
  /** with the returning host */
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly reports: readonly PreflightReport[];
  readonly versions: SecretVersions;
}

/** Returns what is to run on it, which is what the others run: whatever else has changed enters as a promotion. */
function inputsOf(context: Context, returning: Returning): RolloutInputs | undefined {
  const { request, environment, record, reports, versions } = returning;
  const ledger = withoutCordon(record.ledger, request.host);
  const release = currentRevision(ledger)?.release;
  return (
    release && { ...operationInfo(context), environment, release, record: { ...record, ledger }, reports, versions }
  );
}

async function agreeTo(context: Context, returning: Returning): Promise<Agreement | undefined> {
  const inputs = inputsOf(context, returning);
  if (!inputs) return undefined;
  checkReturn(inputs, returning);
  return agree(context, inputs, { whole: returning.whole });
}

function checkReturn(inputs: RolloutInputs, { reports }: Returning): void {
  checkPlatform(inputs.release, reports);
  refuseOtherChanges(inputs);
}

async function takeBack(
  context: Context,
  returning: Returning,
  found: Cordon,
  agreed: Agreement | undefined,
): Promise<UncordonResult> {
  const { request, whole, record } = returning;
  const inputs = inputsOf(context, returning);
  if (!inputs) return recordBack(context, returning, found);
  checkReturn(inputs, returning);
  const startedAt = agreed?.at ?? returning.startedAt;
  const reason = request.reason ?? `${request.host} is back in service`;
  const options = { startedAt, whole, reason, before: record, ...(agreed ? { agreed } : {}) };
  const { outcome, revision } = await rollOut(context, inputs, options);
  if (outcome === 'unchanged') return recordBack(context, returning, found, inputs.operation);
  return { outcome: 'in service', cordon: found, ...(revision ? { revision } : {}) };
}

async function recordBack(
  context: Context,
  { request, environment, reports }: Returning,
  found: Cordon,
  operation = context.newOperation(),
): Promise<UncordonResult> {
  // What was cleared up just now is recorded as well.
  const record = await context.records.environment(environment.name);
  const ledger = counted(withoutCordon(record.ledger, request.host));
  const message = `uncordon ${request.host}`;
  await recordAgain(context, environment, { record, ledger, reports, operation, message });
  await context.machines.routeTo(environment);
  return { outcome: 'in service', cordon: found };
}

function cordonOf({ ledger }: EnvironmentRecord, name: string): Cordon | undefined {
  return ledger.cordons?.find(({ host }) => host === name);
}
