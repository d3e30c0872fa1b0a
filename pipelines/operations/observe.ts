import {
  BrokenError,
  detailsOf,
  InterruptedError,
  isRefusal,
  LockedError,
  messageOf,
  OvertakenError,
  PartialError,
  RolledBackError,
} from '../errors.ts';
import { ExitCode, exitCodeOfResult } from '../model/exit-code.ts';
import type { Release } from '../model/release.ts';
import type { Revision } from '../model/revision.ts';
import type { OperationEnd, OperationFacts } from './observers.ts';
import type { Context } from './ports.ts';

/** Carries out the work of an operation, and tells the observers, if there are any. Throws what it throws. */
export async function observed<T>(
  context: Context,
  operation: string,
  request: object,
  work: () => Promise<T>,
): Promise<T> {
  const { observers } = context;
  if (observers === undefined) return work();
  const startedAt = context.now();
  const facts = factsOf(context, operation, request);
  await observers.begin(facts);
  const end = (how: Omit<OperationEnd, 'operation' | 'duration'>) =>
    observers.end({ ...facts, ...how, duration: context.now() - startedAt });
  try {
    const result = await work();
    await end(endOf(operation, result));
    return result;
  } catch (error) {
    const details = detailsOf(error).map((text) => context.secrets.mask(text));
    await end({ outcome: outcomeOf(error), message: context.secrets.mask(messageOf(error)), details });
    throw error;
  }
}

function factsOf({ project, secrets }: Context, operation: string, request: object): OperationFacts {
  const asked = request as Partial<Record<'environment' | 'version' | 'reason' | 'breakGlass', string>> & {
    planOnly?: boolean;
  };
  const { environment: name, version, reason, breakGlass } = asked;
  const environment = project.environments.find((each) => each.name === name);
  return {
    operation,
    ...(name === undefined ? {} : { environment: name }),
    ...(version === undefined ? {} : { version }),
    ...(reason === undefined ? {} : { reason }),
    ...(breakGlass === undefined ? {} : { breakGlass: secrets.mask(breakGlass) }),
    ...(environment
      ? { hosts: environment.hosts.map((host) => host.name), roles: environment.roles.map((role) => role.name) }
      : {}),
    ...(asked.planOnly || operation === 'drill' ? { isTrial: true } : {}),
  };
}

/** The outcomes of operations that have changed nothing. */
const unchanged: ReadonlySet<string> = new Set(['unchanged', 'planned', 'proven', 'nothing drifted', 'not on hold']);

function endOf(operation: string, result: unknown): Pick<OperationEnd, 'outcome' | 'release' | 'revision'> {
  const { outcome, revision, release } = Object(result) as {
    readonly outcome?: string;
    readonly revision?: Revision;
    readonly release?: Release;
  };
  const made = revision?.release ?? release;
  const isPartial = exitCodeOfResult(operation, result) === ExitCode.partial;
  return {
    outcome: unchanged.has(outcome ?? '') ? 'unchanged' : isPartial ? 'partial' : 'done',
    ...(made ? { release: made } : {}),
    ...(revision ? { revision: revision.number } : {}),
  };
}

function outcomeOf(error: unknown): OperationEnd['outcome'] {
  if (error instanceof LockedError || error instanceof OvertakenError) return 'locked';
  if (error instanceof RolledBackError) return 'rolled back';
  if (error instanceof PartialError) return 'partial';
  if (error instanceof InterruptedError) return 'interrupted';
  return error instanceof BrokenError || !isRefusal(error) ? 'broken' : 'refused';
}
