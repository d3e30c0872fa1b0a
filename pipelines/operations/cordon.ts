import { recordedState } from '../planning/recorded-state.ts';
import { refuseOtherChanges } from '../planning/plan-rollout.ts';
import type { Environment } from '../model/environment.ts';
import { LockageError } from '../errors.ts';
import { withCordon, withoutCordon, withoutCordoned } from '../model/cordons.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Context } from './ports.ts';
import { currentRevision, nextNumber, type EnvironmentRecord } from '../model/ledger.ts';
import type { Cordon, Ledger, Revision } from '../model/revision.ts';
import { rollOut } from './steps/rollout.ts';
import { didYouMean } from '../text/suggest.ts';
import { withEnvironmentLock, withEnvironmentLockIfReachable } from './steps/with-lock.ts';
import { checkPlatform } from '../policy/release-checks.ts';
import { refuseOtherHosts } from '../policy/unchanged.ts';

export interface CordonRequest {
  readonly environment: string;
  /** name of a host */
  readonly host: string;
  readonly reason?: string;
}

export interface CordonResult {
  readonly outcome: 'cordoned' | 'cordoned already';
  readonly cordon: Cordon;
  /** hosts that are still in service */
  readonly remaining: readonly string[];
}

/**
 * Takes a host out of its environment: promotions and rollbacks go on without it. It may be dead; where it answers, an
 * operation that holds the environment's lock on it is not disturbed. What it runs is left alone. Throws LockageError:
 * refused, locked, or what kept it from being recorded.
 */
export async function cordon(context: Context, request: CordonRequest): Promise<CordonResult> {
  const environment = environmentNamed(context.project, request.environment);
  refuseSwarm(environment);
  checkHost(environment, request.host);
  const asked: Cordon = {
    host: request.host,
    since: new Date(context.now()).toISOString(),
    actor: context.actor,
    reason: request.reason ?? 'no reason given',
  };
  const before = await context.records.environment(environment.name);
  const left = leftWithout(environment, before.ledger, asked);
  const purpose = `cordon ${request.host}`;
  const record = async (): Promise<CordonResult> => {
    const now = await context.records.environment(environment.name);
    const remaining = leftWithout(environment, now.ledger, asked).hosts.map(({ name }) => name);
    const found = now.ledger.cordons?.find(({ host }) => host === request.host);
    if (found) {
      // A command that was killed may have recorded it, and no more.
      await context.machines.routeTo(left);
      return { outcome: 'cordoned already', cordon: found, remaining };
    }
    await recordAgain(context, environment, now, withCordon(now.ledger, asked), purpose);
    await context.machines.routeTo(left);
    return { outcome: 'cordoned', cordon: asked, remaining };
  };
  // A running operation holds the lock on the first host in service, and later ones on the first that stays.
  const serving = withoutCordoned(environment, before.ledger);
  const locked = () => withEnvironmentLock(context, left, purpose, record);
  return serving.hosts[0] === left.hosts[0]
    ? locked()
    : withEnvironmentLockIfReachable(context, serving, purpose, locked);
}

/** The environment without one host more. Throws LockageError when none would be left. */
function leftWithout(environment: Environment, ledger: Ledger, added: Cordon): Environment {
  const left = withoutCordoned(environment, withCordon(ledger, added));
  if (left.hosts.length > 0) return left;
  throw new LockageError(`${added.host} is the last host of ${environment.name} in service`, {
    hint: `Take another one back first, or remove the environment with \`lockage destroy ${environment.name}\`.`,
  });
}

export type UncordonResult =
  | { readonly outcome: 'not cordoned' }
  | { readonly outcome: 'in service'; readonly cordon: Cordon; readonly revision?: Revision };

/**
 * Takes a host back into service: it gets what the environment runs, which has to prove itself there, and only then traffic.
 * Throws LockageError, also when the configuration has changed since; the host stays cordoned then.
 */
export async function uncordon(context: Context, request: CordonRequest): Promise<UncordonResult> {
  const startedAt = context.now();
  const configured = environmentNamed(context.project, request.environment);
  checkHost(configured, request.host);
  const seen = await context.records.environment(configured.name);
  if (!seen.ledger.cordons?.some(({ host }) => host === request.host)) {
    await context.machines.routeTo(configured);
    return { outcome: 'not cordoned' };
  }

  const environment = withoutCordoned(configured, withoutCordon(seen.ledger, request.host));
  context.terminal.step('preflight', environment.hosts.map(({ name }) => name).join(' '));
  const early = await context.hosts.preflight(environment);
  const values = await context.secrets.read(environment);
  return withEnvironmentLock(
    context,
    withoutCordoned(configured, seen.ledger),
    `uncordon ${request.host}`,
    async () => {
      const before = await context.records.environment(configured.name);
      refuseOtherHosts(configured, seen, before);
      const found = before.ledger.cordons?.find(({ host }) => host === request.host);
      if (!found) return { outcome: 'not cordoned' };
      const ledger = withoutCordon(before.ledger, request.host);
      const current = currentRevision(ledger);
      const recorded = async (): Promise<UncordonResult> => {
        await recordAgain(context, environment, before, ledger, `uncordon ${request.host}`);
        await context.machines.routeTo(environment);
        return { outcome: 'in service', cordon: found };
      };
      if (!current) return recorded();
      const changed = nextNumber(before.ledger) !== nextNumber(seen.ledger);
      const reports = changed ? await context.hosts.preflight(environment) : early;
      checkPlatform(current.release, reports);
      const situation = { environment, release: current.release, record: { ...before, ledger }, reports, values };
      refuseOtherChanges(context, situation);
      const reason = request.reason ?? `${request.host} is back in service`;
      const { outcome, revision } = await rollOut(context, situation, { startedAt, reason, before });
      if (outcome === 'unchanged') return recorded();
      return { outcome: 'in service', cordon: found, ...(revision ? { revision } : {}) };
    },
  );
}

/** Writes another ledger; what runs stays as it is. */
async function recordAgain(
  context: Context,
  environment: Environment,
  record: EnvironmentRecord,
  ledger: Ledger,
  message: string,
): Promise<void> {
  const place = { app: context.project.app, environment: environment.name };
  await context.stacks.deploy(recordedState(place, record, ledger, { operation: context.newOperation() }), message);
}

/** A swarm moves its work off a node by itself, and a promotion needs only one of its managers. Throws LockageError. */
function refuseSwarm({ name, orchestrator }: Environment): void {
  if (!orchestrator) return;
  throw new LockageError(`${name} runs on a swarm, whose nodes are not cordoned one by one`, {
    hint: 'Take a node out of service with `docker node update --availability drain NODE`.',
  });
}

/** Throws LockageError when the environment has no such host. */
function checkHost(environment: Environment, host: string): void {
  const names = environment.hosts.map(({ name }) => name);
  if (names.includes(host)) return;
  throw new LockageError(`${environment.name} has no host ${host}${didYouMean(host, names)}`, {
    details: [`its hosts: ${names.join(', ')}`],
  });
}
