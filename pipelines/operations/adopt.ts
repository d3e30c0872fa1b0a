import { BrokenError, LockageError, messageOf, RolledBackError } from '../errors.ts';
import { withCordon, withoutCordoned } from '../model/cordons.ts';
import { allTargets, type Environment } from '../model/environment.ts';
import { counted, lastNumber } from '../model/fence.ts';
import { currentRevision } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { sameRecord, type KeptRecord, type RecordCopy } from '../model/record-copy.ts';
import type { Cordon, Ledger } from '../model/revision.ts';
import { hostsNotAsked, planAdoption, type Adoption } from '../planning/plan-adoption.ts';
import type { SecretVersions } from '../planning/rollout-inputs.ts';
import { checkHost } from '../policy/host-checks.ts';
import { newestCopy } from '../policy/newest-copy.ts';
import type { Context } from './ports.ts';
import type { FoundationRequest } from './ports/stacks.ts';
import { stateNow } from './steps/turn-now.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment whose record is to be taken over from its hosts. */
export interface AdoptRequest {
  readonly environment: string;
  /** the host whose copy counts where hosts have different ones */
  readonly from?: string;
  /** names of hosts that are dead: they are recorded as cordoned */
  readonly without?: readonly string[];
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

/** The outcome of an adoption. */
export interface AdoptResult {
  readonly outcome: 'adopted' | 'planned';
  readonly adoption: Adoption;
}

/**
 * Rebuilds a state that was lost, or is older than what hosts know, from the copies that hosts keep of it. Nothing that
 * runs is touched, and no revision is added. Throws LockageError: refused, locked, or what kept it from being recorded.
 */
export async function adopt(context: Context, request: AdoptRequest): Promise<AdoptResult> {
  const environment = environmentNamed(context.project, request.environment);
  refusePending(environment);
  for (const host of request.without ?? []) checkHost(environment, host);
  context.terminal.step(
    'ask',
    allTargets(environment)
      .map(({ name }) => name)
      .join(' '),
  );
  const asked = { environment, request, since: new Date(context.now()).toISOString() };
  const seen = await decide(context, asked);
  context.terminal.adoption(seen.adoption);
  if (request.planOnly) return { outcome: 'planned', adoption: seen.adoption };
  await context.terminal.confirm(`Record this of ${environment.name}?`);
  const serving = withoutCordoned(environment, seen.adoption.record.ledger);
  return withEnvironmentLock(context, { environment: serving, purpose: 'adopt' }, async () => {
    const now = await decide(context, { ...asked, versions: seen.versions });
    if (!sameRecord(seen.copy, now.copy)) throw changedMeanwhile(environment);
    const foundation = { environment, active: serving, versions: now.versions };
    // The ledger comes last: until it is there, the same command does all of this.
    const problem = await recordFoundation(context, foundation);
    await write(context, now);
    // Ports that only a standby has are known from here on.
    const left = problem === undefined ? undefined : await recordFoundation(context, foundation);
    if (left !== undefined) context.terminal.note(left);
    return { outcome: 'adopted', adoption: now.adoption };
  });
}

/** An adoption that was asked for. */
interface Asked {
  readonly environment: Environment;
  readonly request: AdoptRequest;
  /** ISO 8601 */
  readonly since: string;
  /** as they were read before */
  readonly versions?: SecretVersions;
}

/** An adoption, and what it was decided from. */
interface Decided {
  readonly adoption: Adoption;
  readonly copy: RecordCopy;
  readonly kept: readonly KeptRecord[];
  readonly versions: SecretVersions;
}

async function decide(context: Context, asked: Asked): Promise<Decided> {
  const { environment, request, since } = asked;
  const without = new Set(request.without);
  const targets = allTargets(environment).filter(({ name }) => !without.has(name));
  const [own, releases, answers] = await Promise.all([
    context.records.environment(environment.name),
    context.records.releases(),
    context.hosts.kept(environment, targets),
  ]);
  const { from } = request;
  const search = { environment, own, ...(from === undefined ? {} : { from }) };
  const found = newestCopy(search, answers);
  const left = hostsNotAsked(found.copy.record, answers).filter(({ name }) => !without.has(name));
  const kept = left.length > 0 ? [...answers, ...(await context.hosts.kept(environment, left))] : answers;
  // Those that are no longer configured may know more.
  const newest = left.length > 0 ? newestCopy(search, kept) : found;
  const ledger = [...without]
    .map((host) => cordonOf(context, host, since))
    .reduce(withOneMore, newest.copy.record.ledger);
  const versions = asked.versions ?? (await readVersions(context, environment, ledger));
  const adoption = planAdoption({ environment, own, newest, ledger, kept, releases, versions });
  return { adoption, copy: newest.copy, kept, versions };
}

/** Counts as a cordon does: a state from before it is known as older. */
function withOneMore(ledger: Ledger, cordon: Cordon): Ledger {
  const isNew = !ledger.cordons?.some(({ host }) => host === cordon.host);
  return withCordon(isNew ? counted(ledger) : ledger, cordon);
}

function cordonOf({ actor }: Context, host: string, since: string): Cordon {
  return { host, since, actor, reason: 'left out when the record was adopted' };
}

async function write(context: Context, { adoption, copy, kept }: Decided): Promise<void> {
  const { environment, record, revision, releases } = adoption;
  const { ledger } = record;
  const known = { ...record, ledger: copy.record.ledger };
  const desired = stateNow(context, environment, { record: known, ledger, reports: kept });
  context.terminal.step('record', `revision ${revision} of ${environment}`);
  try {
    if (releases.length > 0) await context.records.addReleases(releases);
    await context.stacks.adopt(desired, `adopt revision ${revision}`);
  } catch (error) {
    throw error instanceof BrokenError ? notRecorded(environment, error) : error;
  }
  const after = await context.records.environment(environment);
  if (lastNumber(after.ledger) !== lastNumber(ledger))
    throw new LockageError(`revision ${revision} of ${environment} was not recorded`);
}

/**
 * Records what releases stand on. Returns what cannot be recorded now, for people: it is by the next promotion, and keeps no release
 * from being known.
 */
async function recordFoundation(context: Context, request: FoundationRequest): Promise<string | undefined> {
  const { name } = request.environment;
  const later = `networks, edges and accessories of ${name} are recorded by the next promotion`;
  try {
    const others = await context.stacks.adoptFoundation(request);
    return others.length > 0 ? `${later}, which makes as configured: ${others.join(', ')}` : undefined;
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    return `${later}: ${[messageOf(error), ...error.details].join('; ')}`;
  }
}

/** Returns the versions of secrets whose values can be read. What cannot be read is not known; the plan names it. */
async function readVersions(context: Context, environment: Environment, ledger: Ledger): Promise<SecretVersions> {
  try {
    return await context.secrets.read(environment, currentRevision(ledger)?.secretVersions);
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    context.terminal.note([messageOf(error), ...error.details].join('; '));
    return {};
  }
}

/**
 * Refuses machines of an environment's own that are not recorded: they have no address at which they could be asked.
 */
function refusePending({ name, hosts }: Environment): void {
  const pending = hosts.filter(({ kind }) => kind === 'pending');
  if (pending.length === 0) return;
  throw new LockageError(`machines of ${name} are not recorded here, so nobody can ask them what they know`, {
    details: pending.map((host) => host.name),
    hint: 'Take a copy of the state back: that of its own machines cannot be rebuilt from them.',
  });
}

/** Makes the error for what is recorded in part. The same command records it as a whole: the ledger comes last. */
function notRecorded(environment: string, error: BrokenError): RolledBackError {
  return new RolledBackError(`the record of ${environment} could not be written: ${error.message}`, {
    details: [...error.details, `what runs in ${environment} was not touched`],
    hint: `Run \`lockage adopt ${environment}\` again when the cause is gone.`,
    cause: error,
  });
}

function changedMeanwhile({ name }: Environment): LockageError {
  return new LockageError(`${name} was changed by somebody else meanwhile: nothing was recorded`, {
    hint: `Run \`lockage adopt ${name}\` again to see what its hosts know now.`,
  });
}
