import { BrokenError, LockageError, messageOf } from '../errors.ts';
import { withoutCordoned, withoutHost, withoutPending } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { refuseAhead } from '../policy/fence.ts';
import { refuseChanged } from '../policy/unchanged.ts';
import { didYouMean } from '../text/suggest.ts';
import type { Context } from './ports.ts';
import { askForFences } from './steps/ask-for-fences.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { turnNow } from './steps/turn-now.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The host that is to be taken out of an environment. */
export interface RemoveHostRequest {
  readonly environment: string;
  /** its name */
  readonly host: string;
  /** it is cordoned and never comes back: what it had is forgotten instead of removed */
  readonly gone?: boolean;
}

/** The outcome of a removal. */
export interface RemoveHostResult {
  readonly outcome: 'removed';
  readonly environment: string;
  readonly host: string;
  /** names of the environment's containers that it has */
  readonly containers: readonly string[];
  /** the command that makes the environment agree; absent where there is nothing to do */
  readonly next?: string;
}

type Target = Environment['hosts'][number];

/**
 * Takes a host out of an environment's targets. What it runs goes with the next promotion; of one that is gone for good
 * the record goes now. Throws LockageError, or BrokenError when it was forgotten and is still configured.
 */
export async function removeHost(context: Context, request: RemoveHostRequest): Promise<RemoveHostResult> {
  const environment = environmentNamed(context.project, request.environment);
  const host = hostNamed(environment, request.host);
  const gone = request.gone === true;
  refuseNeeded(environment, host);
  await context.configuration.checkWithoutHost(environment, host.name);
  const record = await context.records.environment(environment.name);
  await refuseLost(context, environment, record);
  if (gone) refuseInService(environment, record, host);
  const staying = withoutHost(withoutCordoned(environment, record.ledger), host.name);
  const consequence = await consequenceOf(context, { environment, record, host, gone });
  context.terminal.note(consequence.text);
  await context.terminal.confirm(`Take ${host.name} out of ${context.configuration.fileOf(environment.name)}?`);
  const take = async () => {
    refuseChanged(environment, record, await context.records.environment(environment.name));
    return takeOut(context, { environment, record, host, gone }, consequence);
  };
  return gone ? withEnvironmentLock(context, { environment: staying, purpose: `host rm ${host.name}` }, take) : take();
}

/** A host on its way out. */
interface Leaving {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly host: Target;
  readonly gone: boolean;
}

function consequenceOf(context: Context, leaving: Leaving): Promise<Consequence> {
  const { environment, record, host, gone } = leaving;
  return gone
    ? Promise.resolve(whatIsForgotten(environment, record, host))
    : whatHappens(context, environment, record, host);
}

async function takeOut(
  context: Context,
  leaving: Leaving,
  { containers, next }: Consequence,
): Promise<RemoveHostResult> {
  const { configuration } = context;
  const { environment, host, gone } = leaving;
  if (gone) await forget(context, leaving);
  await configuration.removeHost(environment, host.name).catch((error: unknown) => {
    throw gone ? halfRemoved(configuration.fileOf(environment.name), environment.name, host.name, error) : error;
  });
  const done = { environment: environment.name, host: host.name, containers };
  return { outcome: 'removed', ...done, ...(next === undefined ? {} : { next }) };
}

async function forget(context: Context, { environment, record, host }: Leaving): Promise<void> {
  const { name } = environment;
  const staying = withoutPending(withoutHost(withoutCordoned(environment, record.ledger), host.name));
  // Those of them that do not answer get no copy either.
  const { reports } = await askForFences(context, staying);
  refuseAhead(environment, record, reports);
  await context.removal.forgetHost(name, host.name);
  const { ledger } = await context.records.environment(name);
  const turn = turnNow(context, { ledger, reports });
  await context.stacks.copyRecord({ environment: name, hosts: staying.hosts, turn });
}

/** Makes the error for a host that was forgotten but is still listed as a target. */
function halfRemoved(file: string, environment: string, host: string, error: unknown): LockageError {
  return new BrokenError(`${host} is forgotten, but could not be taken out of ${file}: ${messageOf(error)}`, {
    hint: `Run the same command again, or remove its line from ${file} by hand, before anything is promoted to ${environment}.`,
    cause: error,
  });
}

function hostNamed(environment: Environment, name: string): Target {
  const found = environment.hosts.find((host) => host.name === name);
  if (found) return found;
  const names = environment.hosts.map((host) => host.name);
  throw new LockageError(`no host ${JSON.stringify(name)} in ${environment.name}${didYouMean(name, names)}`, {
    hint: `Hosts of ${environment.name}: ${names.join(', ')}.`,
  });
}

function refuseNeeded(environment: Environment, host: Target): void {
  if (environment.hosts.length === 1) {
    throw new LockageError(`${host.name} is the only host of ${environment.name}`, {
      hint: `Add another one first, or take the environment down: \`lockage destroy ${environment.name}\`.`,
    });
  }
  const living = environment.accessories.filter((accessory) => accessory.host === host.name);
  if (living.length === 0) return;
  throw new LockageError(`${host.name} has the data of ${living.map(({ name }) => name).join(', ')}`, {
    details: living.map(
      ({ name, volumes }) => `accessory ${name}: volumes ${Object.keys(volumes).join(', ') || 'none'}`,
    ),
    hint: 'Move that to another host first, and name it as `host` of the accessory.',
  });
}

/**
 * Refuses a host that still serves: it may go on doing so when nobody knows it any more. One that is not cordoned and of which
 * nothing is recorded was forgotten by the same command before, which did not come to its end.
 */
function refuseInService(environment: Environment, { containers, ledger }: EnvironmentRecord, host: Target): void {
  if (!withoutCordoned(environment, ledger).hosts.includes(host)) return;
  // Of a swarm, nothing is recorded of any one node.
  if (!environment.orchestrator && !containers.some((placed) => placed.host.name === host.name)) return;
  throw new LockageError(`${host.name} is in service: only a cordoned host can be gone for good`, {
    hint: `Run \`lockage host cordon ${host.name} --env ${environment.name}\` first.`,
  });
}

/** The consequence of taking a host out. */
interface Consequence {
  /** for people who confirm it */
  readonly text: string;
  readonly containers: readonly string[];
  readonly next?: string;
}

function whatIsForgotten(
  environment: Environment,
  { containers, ledger }: EnvironmentRecord,
  host: Target,
): Consequence {
  const names = containers.filter((placed) => placed.host.name === host.name).map(({ spec }) => spec.name);
  const current = currentRevision(ledger);
  const next = current && `lockage promote ${current.release.version} --to ${environment.name}`;
  const text = `${names.length} containers of ${environment.name} on ${host.name} are forgotten; nothing is removed there`;
  return { text, containers: names, ...(next ? { next } : {}) };
}

/** Throws LockageError where what it has could not be removed later. */
async function whatHappens(
  context: Context,
  environment: Environment,
  record: EnvironmentRecord,
  host: Target,
): Promise<Consequence> {
  const found = await context.removal.inventory(environment, [host]).catch((error: unknown) => messageOf(error));
  if (typeof found === 'string') return silentHost(environment, record, host, found);
  const containers = found.flatMap((inventory) => inventory.containers.map(({ name }) => name));
  const current = currentRevision(record.ledger);
  if (containers.length === 0 || !current) {
    return { text: `nothing of ${environment.name} runs on ${host.name}`, containers };
  }
  const next = `lockage promote ${current.release.version} --to ${environment.name}`;
  const text = `${containers.length} containers of ${environment.name} on ${host.name} serve until the next promotion`;
  return { text, containers, next };
}

function silentHost(environment: Environment, record: EnvironmentRecord, host: Target, why: string): Consequence {
  const { name } = host;
  const recorded = record.containers.filter((placed) => placed.host.name === name);
  if (recorded.length === 0) return { text: `${name}: ${why}; nothing of it is recorded`, containers: [] };
  throw new LockageError(`${name} does not answer, and what it has of ${environment.name} could not be removed`, {
    details: [why, ...recorded.map(({ spec }) => spec.name)],
    hint: `Bring it back; or, if it is gone for good, \`lockage host cordon ${name} --env ${environment.name}\`, then \`lockage host rm ${name} --env ${environment.name} --gone\`.`,
  });
}
