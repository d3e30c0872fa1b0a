import type { Ledger, Revision, Hold } from '../model/revision.ts';
import {
  rollbackCandidates,
  currentRevision,
  completed,
  type EnvironmentRecord,
  existingContainers,
  nextNumber,
} from '../model/ledger.ts';
import { LockageError, ExitCode } from '../errors.ts';
import { type Environment, placesOf } from '../model/environment.ts';
import type { HostReport } from '../model/host-report.ts';
import type { Context } from '../operations/ports.ts';
import { onActiveHosts, skippedHosts } from '../model/cordons.ts';
import { standbyFor, neededSecrets } from './standby.ts';
import type { DesiredState, PlacedContainer } from '../model/desired-state.ts';
import { type Plan, changesOf } from '../model/plan.ts';

export interface RollbackRequest {
  readonly environment: string;
  /** a revision's number or a version; absent: the last good revision */
  readonly to?: string;
  readonly reason?: string;
  readonly planOnly?: boolean;
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

export interface RollbackInputs {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  readonly target: Revision;
  readonly request: RollbackRequest;
}

export function planRollback(context: Context, { environment, record, reports, target, request }: RollbackInputs) {
  const current = currentRevision(record.ledger);
  const serving = recordedContainers(environment, record, target);
  const servingBefore = current ? onActiveHosts(record.ledger, existingContainers(record, current)) : [];
  const standby = serving.every(({ host, spec }) => {
    const report = reports.find((candidate) => candidate.host.name === host.name);
    return spec.route ? report?.running.has(spec.name) : report?.present.has(spec.name);
  });
  const kept = standbyFor(record, environment.standby, serving);
  const hold: Hold = {
    since: new Date(context.now()).toISOString(),
    actor: context.actor,
    reason: request.reason ?? `rolled back from ${current?.release.version} to ${target.release.version}`,
    version: current?.release.version ?? '',
  };
  const desired: DesiredState = {
    app: context.project.app,
    environment: environment.name,
    operation: context.newOperation(),
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
function recordedContainers(environment: Environment, record: EnvironmentRecord, target: Revision): PlacedContainer[] {
  const away = new Set(skippedHosts(record.ledger).without);
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
