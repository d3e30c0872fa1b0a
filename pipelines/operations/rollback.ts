import { placesOf } from '../model/container-spec.ts';
import type { Desired, Placed } from '../model/desired-state.ts';
import type { Environment } from '../model/environment.ts';
import { ExitCode, LockageError } from '../errors.ts';
import { carryOut } from './steps/execute.ts';
import {
  absent,
  inService,
  refuseChanged,
  refuseOtherHosts,
  withoutCordoned,
  withoutUnmade,
} from '../model/cordons.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { HostReport, World } from './ports.ts';
import { withRecordedSecrets } from './steps/recorded-secrets.ts';
import { completed, currentRevision, nextNumber, rollbackCandidates, type EnvironmentRecord } from '../model/ledger.ts';
import type { Hold, Ledger, Revision } from '../model/revision.ts';
import { existingContainers, neededSecrets, standbyFor } from '../planning/standby.ts';
import { underLock } from './steps/with-lock.ts';

export interface RollbackRequest {
  readonly environment: string;
  /** a revision's number or a version; absent: the last good revision */
  readonly to?: string;
  readonly reason?: string;
  readonly planOnly?: boolean;
}

export interface RollbackResult {
  readonly outcome: 'rolled back' | 'planned';
  readonly plan: Plan;
  readonly revision?: Revision;
  /** milliseconds from the command's start until every host sent its traffic to the earlier containers */
  readonly trafficBack?: number;
}

/**
 * Puts an earlier revision back as it ran: image, configuration and secrets. With a standby the traffic goes back first,
 * and the state follows. It is a new revision, and holds the environment until a person lifts the hold.
 * Throws LockageError.
 */
export async function rollback(world: World, request: RollbackRequest, startedAt: number): Promise<RollbackResult> {
  const configured = environmentNamed(world.project, request.environment);
  const record = await world.records.environment(configured.name);
  const environment = withoutUnmade(withoutCordoned(configured, record.ledger));
  const target = targetOf(environment.name, record.ledger, request.to);
  const asked = world.hosts.look(environment);
  // It is awaited below, where the lock is let go of if it fails.
  asked.catch(() => undefined);
  const decideAndAct = async (): Promise<RollbackResult> => {
    const reports = await asked;
    // Another operator may have acted before the lock was taken: going back from something else is another decision.
    const now = await world.records.environment(environment.name);
    refuseOtherHosts(configured, record, now);
    refuseChanged(environment, record, now);
    const situation = { environment, record, reports, target, request };
    const assembled = assemble(world, situation);
    if (!request.planOnly) return goBack(world, situation, assembled, startedAt);
    world.terminal.plan(assembled.plan);
    return { outcome: 'planned', plan: assembled.plan };
  };
  return request.planOnly ? decideAndAct() : underLock(world, environment, 'rollback', decideAndAct);
}

async function goBack(
  world: World,
  { environment, record, target, request }: Situation,
  { desired, plan, standby }: ReturnType<typeof assemble>,
  startedAt: number,
): Promise<RollbackResult> {
  const { version } = target.release;
  await world.terminal.confirm(`Roll ${environment.name} back to ${version} (revision ${target.number})?`);
  const revision: Omit<Revision, 'result' | 'duration'> = {
    number: plan.number,
    release: target.release,
    containers: desired.serving.map(({ spec }) => spec),
    secretVersions: target.secretVersions,
    kind: 'rollback',
    actor: world.actor,
    startedAt: new Date(startedAt).toISOString(),
    restores: target.number,
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...absent(record.ledger),
    ...(target.counts ? { counts: target.counts } : {}),
    ...(request.reason ? { reason: request.reason } : {}),
  };
  const operation = { before: record, revision, startedAt };
  // A promotion of an image that was killed may have left the front on other machines.
  await world.machines.lead(environment);
  if (!standby) {
    world.terminal.note(`no standby of ${version}: its containers are made again`);
    await world.hosts.pull(environment, target.release);
    const again = await withRecordedSecrets(world, desired);
    return { outcome: 'rolled back', plan, revision: await carryOut(world, { ...operation, desired: again }) };
  }
  await world.hosts.switchNow(desired);
  const trafficBack = Math.round(world.now() - startedAt);
  world.terminal.note(
    `${environment.name} serves ${version} again on all hosts, ${trafficBack} ms after the command's start`,
  );
  const withoutTraffic = await startAndStop(world, environment, desired);
  const recorded = await carryOut(world, { ...operation, desired, switched: true });
  if (withoutTraffic === undefined) return { outcome: 'rolled back', plan, revision: recorded, trafficBack };
  throw new LockageError(`${environment.name} serves ${version} again, but not all that has no traffic runs as then`, {
    code: ExitCode.broken,
    details: [withoutTraffic.message, ...(withoutTraffic instanceof LockageError ? withoutTraffic.details : [])],
    hint: `Look at \`lockage status --env ${environment.name}\`; the next promotion replaces what does not run.`,
    cause: withoutTraffic,
  });
}

/** What kept containers without traffic from being started or stopped; the rollback is to be recorded all the same. */
async function startAndStop(
  world: World,
  environment: Environment,
  { serving, standby }: Desired,
): Promise<Error | undefined> {
  const resting = (placed: Desired['serving']) => placed.filter(({ spec }) => !spec.route);
  try {
    await world.hosts.startAndStop(environment, resting(serving), resting(standby));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The revision to go back to. Throws LockageError when there is none. */
export function targetOf(environment: string, ledger: Ledger, to?: string): Revision {
  const candidates = rollbackCandidates(ledger);
  const current = currentRevision(ledger);
  if (to === undefined) {
    const [last] = candidates;
    if (last) return last;
    throw new LockageError(`${environment} has no earlier good revision to go back to`, {
      details: current ? [`it runs ${current.release.version} (revision ${current.number})`] : ['nothing runs in it'],
    });
  }
  const good = ledger.revisions.filter(({ result }) => result === 'succeeded');
  const found = good.findLast(({ number, release }) => String(number) === to || release.version === to);
  if (found && current && found.number === current.number) {
    throw new LockageError(`${environment} runs ${to} already (revision ${current.number})`);
  }
  if (found) return completed(ledger, found);
  throw new LockageError(`${environment} has no good revision ${to}`, {
    details: candidates.map(({ number, release }) => `revision ${number}: ${release.version}`),
    hint: `Run \`lockage history ${environment}\` to see them all.`,
  });
}

interface Situation {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  readonly target: Revision;
  readonly request: RollbackRequest;
}

function assemble(world: World, { environment, record, reports, target, request }: Situation) {
  const current = currentRevision(record.ledger);
  const serving = placedAsRecorded(environment, record, target);
  const servingBefore = current ? inService(record.ledger, existingContainers(record, current)) : [];
  const standby = serving.every(({ host, spec }) => {
    const report = reports.find((candidate) => candidate.host.name === host.name);
    return spec.route ? report?.running.has(spec.name) : report?.present.has(spec.name);
  });
  const kept = standbyFor(record, environment.standby, serving);
  const hold: Hold = {
    since: new Date(world.now()).toISOString(),
    actor: world.actor,
    reason: request.reason ?? `rolled back from ${current?.release.version} to ${target.release.version}`,
    version: current?.release.version ?? '',
  };
  const desired: Desired = {
    app: world.project.app,
    environment: environment.name,
    operation: world.newOperation(),
    serving,
    standby: kept,
    fallback: standby ? [] : servingBefore,
    wake: [],
    verify: standby ? [] : serving,
    watch: 0,
    guarded: !standby,
    ...(record.migration ? { migration: record.migration } : {}),
    secrets: neededSecrets([...serving, ...kept], record.ledger, {}, {}, record.migration?.spec),
    ledger: { ...record.ledger, hold },
  };
  const plan: Plan = {
    kind: 'rollback',
    environment: environment.name,
    number: nextNumber(record.ledger),
    release: target.release,
    ...(current ? { from: current } : {}),
    containers: changesOf(record.containers, serving, servingBefore, kept),
    migration: false,
    hold,
    notes: standby ? ['a standby runs on every host: the rollback is a switch'] : [],
  };
  return { desired, plan, standby };
}

/**
 * The target's containers on the hosts of today: those of hosts that left do not come back. Throws LockageError when it did
 * not run on a host that serves now and would go on with what was bad, or when a role of it would run nowhere.
 */
function placedAsRecorded(environment: Environment, record: EnvironmentRecord, target: Revision): Placed[] {
  const away = new Set(absent(record.ledger).without);
  const placed = target.containers.flatMap((spec) => {
    const existing = record.containers.find((other) => other.spec.name === spec.name && other.host.name === spec.host);
    const host = existing?.host ?? placesOf(environment).find(({ name }) => name === spec.host);
    return host && !away.has(host.name) ? [{ host, spec: existing?.spec ?? spec }] : [];
  });
  const configured = new Set(placesOf(environment).map(({ name }) => name));
  const serving = new Set((currentRevision(record.ledger)?.containers ?? []).map(({ host }) => host));
  const without = [...serving].filter((name) => configured.has(name) && !placed.some(({ host }) => host.name === name));
  const lost = [...new Set(target.containers.map(({ role }) => role))].filter(
    (role) => !placed.some(({ spec }) => spec.role === role),
  );
  if (without.length === 0 && lost.length === 0) return placed;
  throw new LockageError(`revision ${target.number} of ${environment.name} does not fit the hosts of today`, {
    code: ExitCode.refused,
    details: [
      ...without.map((host) => `it did not run on ${host}`),
      ...lost.map((role) => `role ${role} of it ran on hosts that are gone only`),
    ],
    hint: `Promote ${target.release.version} instead: it is made for the hosts of today.`,
  });
}
