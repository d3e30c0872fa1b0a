import { LockageError } from '../errors.ts';
import { withCordon, withoutCordoned, withoutPending } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { counted } from '../model/fence.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Cordon, Ledger } from '../model/revision.ts';
import { refuseAhead } from '../policy/fence.ts';
import { checkHost } from '../policy/host-checks.ts';
import type { Context } from './ports.ts';
import { askForFences } from './steps/ask-for-fences.ts';
import { recordAgain, recordAside } from './steps/record-again.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The host of an environment that is meant. */
export interface CordonRequest {
  readonly environment: string;
  /** name of a host */
  readonly host: string;
  readonly reason?: string;
}

/** The outcome of a cordon. */
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
  const { ledger } = await context.records.environment(environment.name);
  const left = leftWithout(environment, ledger, asked);
  const purpose = `cordon ${request.host}`;
  // Also on the host that goes, where it answers: whoever works there is not disturbed.
  const serving = withoutCordoned(environment, ledger);
  return withEnvironmentLock(context, { environment: serving, purpose }, () =>
    record(context, environment, left, asked),
  );
}

async function record(context: Context, environment: Environment, left: Environment, asked: Cordon) {
  const now = await context.records.environment(environment.name);
  const staying = leftWithout(environment, now.ledger, asked);
  const remaining = staying.hosts.map(({ name }) => name);

  // Only those that stay, as the one that goes may be dead. One more that is dead must not keep it from going: else neither
  // of the two could ever go.
  const { reports, all } = await askForFences(context, withoutPending(staying));
  // Also a cordon that is recorded: in an older state it may have been lifted since.
  refuseAhead(environment, now, reports);
  const found = now.ledger.cordons?.find(({ host }) => host === asked.host);
  if (!found) {
    const ledger = counted(withCordon(now.ledger, asked));
    const write = all ? recordAgain : recordAside;
    await write(context, environment, { record: now, ledger, reports, message: `cordon ${asked.host}` });
  }
  // Also where it was cordoned before: a command that was killed may have recorded it, and no more.
  await context.machines.routeTo(left);
  const outcome: CordonResult['outcome'] = found ? 'cordoned already' : 'cordoned';
  return { outcome, cordon: found ?? asked, remaining };
}

/** Returns the environment without one host more. Throws LockageError when none would be left. */
function leftWithout(environment: Environment, ledger: Ledger, added: Cordon): Environment {
  const left = withoutCordoned(environment, withCordon(ledger, added));
  if (left.hosts.length > 0) return left;
  throw new LockageError(`${added.host} is the last host of ${environment.name} in service`, {
    hint: `Take another one back first, or remove the environment with \`lockage destroy ${environment.name}\`.`,
  });
}

/**
 * Refuses a swarm, which moves its work off a node by itself; a promotion needs only one of its managers. Throws
 * LockageError.
 */
function refuseSwarm({ name, orchestrator }: Environment): void {
  if (!orchestrator) return;
  throw new LockageError(`${name} runs on a swarm, whose nodes are not cordoned one by one`, {
    hint: 'Take a node out of service with `docker node update --availability drain NODE`.',
  });
}
