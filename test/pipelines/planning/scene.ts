import { restsAsStandby } from '../../../pipelines/model/container-spec.ts';
import { withCordon, withoutCordon, withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { DesiredState } from '../../../pipelines/model/desired-state.ts';
import { placesOf, type Environment } from '../../../pipelines/model/environment.ts';
import type { HostReport } from '../../../pipelines/model/host-report.ts';
import { currentRevision, withRevision, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { Plan } from '../../../pipelines/model/plan.ts';
import type { PlannedRevision } from '../../../pipelines/model/revision.ts';
import { planRollback, type RollbackPlan } from '../../../pipelines/planning/plan-rollback.ts';
import { rollbackTarget } from '../../../pipelines/planning/rollback-target.ts';
import { planRollout, type RolloutPlan } from '../../../pipelines/planning/plan-rollout.ts';
import type { RolloutInputs, SecretVersions } from '../../../pipelines/planning/rollout-inputs.ts';
import { environment, host, record, release, role } from '../model/values.ts';

/** An environment, what is recorded of it, and what became of its containers. */
export interface Scene {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly versions: SecretVersions;
  /** names of recorded containers that do not run */
  readonly stopped: readonly string[];
}

/** An environment of web on these hosts, where nothing runs yet. */
export function scene(hosts: readonly string[] = ['prod-1'], changes: Partial<Environment> = {}): Scene {
  const small = environment({ hosts: hosts.map(host), roles: [role({ hosts })], ...changes });
  return { environment: small, record: record([]), versions: {}, stopped: [] };
}

/** The same with another configuration. */
export function configured(before: Scene, changes: Partial<Environment>): Scene {
  return { ...before, environment: { ...before.environment, ...changes } };
}

/** The same with these hosts, and every role on all of them. */
export function onHosts(before: Scene, names: readonly string[]): Scene {
  const roles = before.environment.roles.map((each) => ({ ...each, hosts: names }));
  return configured(before, { hosts: names.map(host), roles });
}

/** The same with that host out of service. */
export function cordoned(before: Scene, name: string): Scene {
  const cordon = { host: name, since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'dead' };
  return { ...before, record: { ...before.record, ledger: withCordon(before.record.ledger, cordon) } };
}

/** The same with that host back in service, as it was. */
export function uncordoned(before: Scene, name: string): Scene {
  return { ...before, record: { ...before.record, ledger: withoutCordon(before.record.ledger, name) } };
}

/** The same where the containers of a role that serve have ended. */
export function broken(before: Scene, name: string, on?: string): Scene {
  const current = currentRevision(before.record.ledger)?.containers ?? [];
  const stopped = current.filter((spec) => spec.role === name && (on ?? spec.host) === spec.host);
  return { ...before, stopped: [...before.stopped, ...stopped.map((spec) => spec.name)] };
}

const operation = { app: 'shop', actor: 'anna@desk', now: Date.parse('2026-01-02T00:00:00Z'), operation: 'op1' };

/** The plan that brings a release in. */
export function planned(now: Scene, version: string, changes: Partial<RolloutInputs> = {}): RolloutPlan {
  const { record: recorded, versions } = now;
  return planRollout({
    ...operation,
    environment: withoutCordoned(now.environment, recorded.ledger),
    release: release(version),
    record: recorded,
    reports: reportsOf(now),
    versions,
    ...changes,
  });
}

/** The plan that goes back. */
export function plannedBack(now: Scene, to?: string, reason?: string): RollbackPlan {
  const { record: recorded } = now;
  return planRollback({
    ...operation,
    environment: withoutCordoned(now.environment, recorded.ledger),
    record: recorded,
    reports: reportsOf(now),
    target: rollbackTarget(now.environment.name, recorded.ledger, to),
    ...(reason === undefined ? {} : { reason }),
  });
}

/** What is there once a plan was carried out well. */
export function carriedOut(
  before: Scene,
  { desired, revision }: { readonly desired: DesiredState; readonly revision: PlannedRevision },
): Scene {
  const containers = [...desired.serving, ...desired.standby];
  const ledger = withRevision(desired.ledger, { ...revision, result: 'succeeded', duration: 4000 });
  const { migration, secrets } = desired;
  return { ...before, record: { basis: 'nothing', ledger, containers, secrets, ...(migration ? { migration } : {}) } };
}

/** The same after these releases came in one after the other. */
export function released(before: Scene, ...versions: readonly string[]): Scene {
  return versions.reduce((now, version) => carriedOut(now, planned(now, version)), before);
}

/** The same after a rollback whose hold was lifted. */
export function wentBack(before: Scene, to?: string): Scene {
  const after = carriedOut(before, plannedBack(before, to));
  const { hold: _, ...ledger } = after.record.ledger;
  return { ...after, record: { ...after.record, ledger } };
}

/** What happens to each container, as `prod-1 web 1.0.0 create`. */
export function sentences({ plan }: { readonly plan: Plan }): string[] {
  return plan.containers.map(({ host: on, role: kind, version, action }) => `${on} ${kind} ${version} ${action}`);
}

/** The hosts say what is recorded of them, but for what stopped; a standby without traffic rests. */
function reportsOf({ environment: { hosts, orchestrator }, record: recorded, stopped }: Scene): HostReport[] {
  const serving = new Set(currentRevision(recorded.ledger)?.containers.map(({ name }) => name));
  return placesOf({ hosts, ...(orchestrator ? { orchestrator } : {}) }).map((place) => {
    const own = recorded.containers.filter((each) => each.host.name === place.name).map(({ spec }) => spec);
    const runs = own.filter(
      (each) => !stopped.includes(each.name) && (!restsAsStandby(each) || serving.has(each.name)),
    );
    return {
      host: place,
      running: new Set(runs.map(({ name }) => name)),
      present: new Set(own.map(({ name }) => name)),
      foreign: new Set<string>(),
      edge: true,
      warnings: [],
    };
  });
}
