import { LockageError } from '../errors.ts';
import { restsAsStandby } from '../model/container-spec.ts';
import { onActiveHosts, skippedHosts } from '../model/cordons.ts';
import { samePlace, type DesiredState, type PlacedContainer, type StopFirst } from '../model/desired-state.ts';
import { placesOf, type Environment } from '../model/environment.ts';
import { turnOf } from '../model/fence.ts';
import type { HostReport } from '../model/host-report.ts';
import { currentRevision, existingContainers, nextNumber, type EnvironmentRecord } from '../model/ledger.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { Hold, PlannedRevision, Revision } from '../model/revision.ts';
import type { OperationInfo } from './rollout-inputs.ts';
import { differencesOf } from './differences.ts';
import { secretsToRecord, standbyFor } from './standby.ts';
import { fallbackOf, keepable, stopFirstNotes, stopFirstOf } from './stop-first.ts';

/** Everything that a rollback is decided from. */
export interface RollbackInputs extends OperationInfo {
  /** without its cordoned hosts and the machines that are not made yet */
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  /** the revision to go back to: see `rollbackTarget` */
  readonly target: Revision;
  /** why it goes there although its code may not run with the data */
  readonly forcedSchema?: string;
  /** why, as the operator says */
  readonly reason?: string;
}

/** A rollback, decided: for people to read, for Pulumi to carry out, and for the ledger. */
export interface RollbackPlan {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly revision: PlannedRevision;
  /** the target's containers are there on every host */
  readonly standby: boolean;
  /** going back is a switch of the routes: all that gets traffic runs */
  readonly switches: boolean;
}

/**
 * Plans how an environment goes back to an earlier revision, exactly as it ran. Throws LockageError when that does not fit
 * the hosts of today.
 */
export function planRollback(inputs: RollbackInputs): RollbackPlan {
  const { environment, record } = inputs;
  const current = currentRevision(record.ledger);
  const serving = recordedContainers(inputs);
  const servingBefore = current ? onActiveHosts(record.ledger, existingContainers(record, current)) : [];
  const standby = serving.every((placed) => isReady(inputs.reports, placed));
  const stopFirst = stopFirstOf({ serving, servingBefore, reports: inputs.reports });
  const outcome: Outcome = {
    serving,
    servingBefore,
    kept: keepable(standbyFor(record, environment.standby, serving), serving),
    standby,
    switches: standby && !stopFirst?.start.some(({ spec }) => spec.route),
    stopFirst,
    hold: holdOf(inputs, current),
  };
  return {
    plan: planOf(inputs, outcome),
    desired: desiredOf(inputs, outcome),
    revision: revisionOf(inputs, serving),
    standby,
    switches: outcome.switches,
  };
}

/** The values that the parts of a rollback plan are made from. */
interface Outcome {
  readonly serving: readonly PlacedContainer[];
  readonly servingBefore: readonly PlacedContainer[];
  readonly kept: readonly PlacedContainer[];
  readonly standby: boolean;
  readonly switches: boolean;
  readonly stopFirst: StopFirst | undefined;
  readonly hold: Hold;
}

/**
 * Returns whether a container is ready to serve again: one with traffic has to run, one without has only to be there.
 */
function isReady(reports: readonly HostReport[], { host, spec }: PlacedContainer): boolean {
  const report = reports.find((candidate) => candidate.host.name === host.name);
  return (restsAsStandby(spec) ? report?.present.has(spec.name) : report?.running.has(spec.name)) ?? false;
}

function holdOf({ now, actor, reason, target }: RollbackInputs, current: Revision | undefined): Hold {
  return {
    since: new Date(now).toISOString(),
    actor,
    reason: reason ?? `rolled back from ${current?.release.version} to ${target.release.version}`,
    version: current?.release.version ?? '',
  };
}

function desiredOf(inputs: RollbackInputs, outcome: Outcome): DesiredState {
  const { app, environment, operation, record, reports } = inputs;
  const { ledger } = record;
  const { serving, servingBefore, kept, switches, stopFirst, hold } = outcome;
  // One that rests and starts when the one before it has ended is the same as it was: it is not made again.
  const again = serving.filter((placed) => !(placed.spec.replace && isReady(reports, placed)));
  return {
    app,
    environment: environment.name,
    operation,
    basis: record.basis,
    ...(record.pending ? { attempts: record.pending } : {}),
    turn: turnOf({ revision: nextNumber(ledger), operation, ledger, reports }),
    serving,
    standby: kept,
    fallback: switches ? [] : fallbackOf(servingBefore, stopFirst),
    wake: [],
    ...(switches ? {} : { again, ...(stopFirst ? { stopFirst } : {}) }),
    verify: switches ? [] : serving,
    watch: 0,
    guarded: !switches,
    ...(record.migration ? { migration: record.migration } : {}),
    secrets: secretsToRecord([...serving, ...kept], record),
    ledger: { ...record.ledger, hold },
  };
}

function revisionOf(inputs: RollbackInputs, serving: readonly PlacedContainer[]): PlannedRevision {
  const { environment, record, target, actor, now, reason, forcedSchema } = inputs;
  return {
    number: nextNumber(record.ledger),
    release: target.release,
    containers: serving.map(({ spec }) => spec),
    secretVersions: target.secretVersions,
    kind: 'rollback',
    actor,
    startedAt: new Date(now).toISOString(),
    restores: target.number,
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...skippedHosts(record.ledger),
    ...(target.counts ? { counts: target.counts } : {}),
    ...(reason ? { reason } : {}),
    ...(forcedSchema === undefined ? {} : { forcedSchema }),
  };
}

function planOf({ environment, record, reports, target }: RollbackInputs, outcome: Outcome): Plan {
  const { serving, servingBefore, kept, switches, stopFirst, hold } = outcome;
  const lost = serving.filter((placed) => !isReady(reports, placed));
  const existing = record.containers.filter((placed) => !lost.some((other) => samePlace(other, placed)));
  const current = currentRevision(record.ledger);
  return {
    kind: 'rollback',
    environment: environment.name,
    number: nextNumber(record.ledger),
    release: target.release,
    ...(current ? { from: current } : {}),
    containers: changesOf({ existing, serving, servingBefore, standby: kept }),
    differences: differencesOf(
      current?.containers ?? [],
      serving.map(({ spec }) => spec),
    ),
    migration: false,
    hold,
    notes: [
      ...(switches ? ['a standby runs on every host: the rollback is a switch'] : []),
      ...stopFirstNotes(stopFirst, record.ledger),
    ],
  };
}

/**
 * Returns the target's containers on the hosts of today: those of hosts that left do not come back. Throws LockageError
 * when it did not run on a host that serves now and would go on with what was bad, or when a role would run nowhere.
 */
function recordedContainers(inputs: RollbackInputs): PlacedContainer[] {
  const { environment, record, target } = inputs;
  const cordoned = new Set(skippedHosts(record.ledger).without);
  const placed = target.containers.flatMap((spec) => {
    const existing = record.containers.find((other) => other.spec.name === spec.name && other.host.name === spec.host);
    const host = existing?.host ?? placesOf(environment).find(({ name }) => name === spec.host);
    return host && !cordoned.has(host.name) ? [{ host, spec: existing?.spec ?? spec }] : [];
  });
  const problems = [...hostsLeftOut(inputs, placed), ...rolesLost(target, placed)];
  if (problems.length === 0) return placed;
  throw new LockageError(`revision ${target.number} of ${environment.name} does not fit the hosts of today`, {
    details: problems,
    hint: `Promote ${target.release.version} instead: it is made for the hosts of today.`,
  });
}

function hostsLeftOut({ environment, record }: RollbackInputs, placed: readonly PlacedContainer[]): string[] {
  const configured = new Set(placesOf(environment).map(({ name }) => name));
  const serving = new Set((currentRevision(record.ledger)?.containers ?? []).map(({ host }) => host));
  return [...serving]
    .filter((name) => configured.has(name) && !placed.some(({ host }) => host.name === name))
    .map((host) => `it did not run on ${host}`);
}

function rolesLost({ containers }: Revision, placed: readonly PlacedContainer[]): string[] {
  return [...new Set(containers.map(({ role }) => role))]
    .filter((role) => !placed.some(({ spec }) => spec.role === role))
    .map((role) => `role ${role} of it ran on hosts that are gone only`);
}
