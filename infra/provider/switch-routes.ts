import { messageOf, OvertakenError, PartialError, RolledBackError, type LockageError } from '../../pipelines/errors.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';
import { setName, silenceText, withoutFallback, type Edge, type RouteSet, type Visited } from '../edge/edge.ts';
import { bareVisits, visitTimeout } from '../edge/visits.ts';
import type { Place, RoutesInputs } from '../resources/inputs.ts';
import { overtaken } from './turn.ts';

/** Milliseconds a host has to answer just before a switch. */
const answerTimeout = 10_000;

/**
 * Switches the routes of all hosts at once, and reads from each what it serves then. The barrier delivered them, so the
 * switch itself is one rename a host. If any host fails, those that switched go back and the error names it; a final
 * switch, which leads back to what is known to be good, stands on the others. Throws RolledBackError, PartialError, or
 * OvertakenError when another operation has the hosts.
 */
export async function switchRoutes(context: ProviderContext, inputs: RoutesInputs): Promise<void> {
  if (inputs.guard > 0) await allAnswer(context, inputs);
  context.signal.throwIfAborted();
  const switched = await Promise.allSettled(inputs.hosts.map((each) => switchHost(context, inputs, each)));
  const failed = failuresOf(inputs.hosts, switched);
  if (failed.length === 0) return;
  throw inputs.guard > 0 ? await takenBack(context, inputs, failed) : notSwitched(inputs, failed);
}

async function switchHost(
  context: ProviderContext,
  inputs: RoutesInputs,
  { host, set }: RoutesInputs['hosts'][number],
): Promise<void> {
  const edge = await edgeOf(context, inputs, host);
  const wanted = inputs.guard > 0 ? set : withoutFallback(set);
  const before = await switchTo(edge, wanted, inputs);
  if (before !== setName(wanted)) context.progress({ host: host.name, step: 'switch' });
}

/** Returns the error of a final switch, which stands where it was made. */
function notSwitched({ environment, hosts }: RoutesInputs, failed: readonly HostFailure[]): LockageError {
  const refused = failed.filter(({ error }) => error instanceof OvertakenError);
  if (refused.length > 0 && failed.length === hosts.length) return overtaken(environment, errorsOf(failed));
  return new PartialError(`the routes did not switch on ${failed.length} of ${hosts.length} hosts`, {
    details: failed.map(textOf),
    hint:
      'Run the same command again when these hosts answer. One whose edge proxy is gone gets it back when a release is ' +
      'promoted.',
  });
}

/** Takes an unconfirmed switch back where it was made, and returns the error that says so. */
async function takenBack(
  context: ProviderContext,
  inputs: RoutesInputs,
  failed: readonly HostFailure[],
): Promise<LockageError> {
  const left = await revertRoutes(context, inputs);
  if (failed.some(({ error }) => error instanceof OvertakenError)) {
    return overtaken(inputs.environment, errorsOf(failed));
  }
  const details = [
    ...failed.map(textOf),
    ...left.map(({ host }) => `${host} goes back by itself within ${inputs.guard} s`),
  ];
  return new RolledBackError('the routes did not switch on every host', { details });
}

/**
 * Checks that each host answers visitors before any host switches: one that does not would be found while the others
 * serve what will be taken back. Throws LockageError.
 */
async function allAnswer(context: ProviderContext, inputs: RoutesInputs): Promise<void> {
  const asked = await Promise.allSettled(
    inputs.hosts.map(async ({ host, set }) => {
      await (await context.engine(host)).ping({ deadline: answerTimeout });
      const visited = await (
        await edgeOf(context, inputs, host)
      ).visit(bareVisits(Object.keys(set)), { seconds: visitTimeout });
      refuseSilent(visited);
    }),
  );
  const silent = failuresOf(inputs.hosts, asked);
  if (silent.length === 0) return;
  throw new RolledBackError('no host switched, as not every one answers', { details: silent.map(textOf) });
}

/** Throws Error naming the public ports that nobody answers at. */
export function refuseSilent({ silent }: Pick<Visited, 'silent'>): void {
  if (silent.length > 0) throw new Error(silent.map(silenceText).join('; '));
}

/** Brings the routes of an operation to every host. Changes nothing that serves. */
export async function deliverRoutes(
  context: ProviderContext,
  place: Place,
  hosts: RoutesInputs['hosts'],
): Promise<void> {
  await Promise.all(
    hosts.map(async ({ host, set }) => {
      await (await edgeOf(context, place, host)).prepare([set, withoutFallback(set)]);
    }),
  );
}

/**
 * Switches a host. It has the routes that the barrier delivered and the earlier ones, so this is one call to it; else
 * they are sent.
 */
async function switchTo(edge: Edge, set: RouteSet, { turn, guard }: RoutesInputs): Promise<string | undefined> {
  const before = await edge.switch(setName(set), turn, guard);
  if (before !== undefined) return before;
  await edge.prepare([set, withoutFallback(set)]);
  const again = await edge.switch(setName(set), turn, guard);
  if (again === undefined) throw new Error('the routes that were sent did not arrive as a whole');
  return again;
}

/**
 * Takes a switch back on all hosts, also where it was confirmed. Returns those that did not answer that they are back: with
 * an unconfirmed switch, they go back by themselves.
 */
export async function revertRoutes(
  context: ProviderContext,
  inputs: Place & Pick<RoutesInputs, 'hosts' | 'turn'>,
): Promise<HostFailure[]> {
  const results = await Promise.allSettled(
    inputs.hosts.map(async ({ host }) => {
      await (await edgeOf(context, inputs, host)).revert(inputs.turn);
      context.progress({ host: host.name, step: 'switch back' });
    }),
  );
  const failed = failuresOf(inputs.hosts, results);
  for (const { host, error } of failed) {
    context.progress({ host, step: 'did not switch back', detail: messageOf(error) });
  }
  return failed;
}

/** A host that did not do what it was told. */
export interface HostFailure {
  readonly host: string;
  readonly error: unknown;
}

/** Returns the hosts whose result is a failure, in their order. */
export function failuresOf(
  hosts: RoutesInputs['hosts'],
  results: readonly PromiseSettledResult<unknown>[],
): HostFailure[] {
  return results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ host: hosts[index]?.host.name ?? '', error: result.reason as unknown }] : [],
  );
}

/** Returns what a host's failure says, with its name. */
export function textOf({ host, error }: HostFailure): string {
  return `${host}: ${messageOf(error)}`;
}

/** Returns the errors of hosts' failures. */
export function errorsOf(failed: readonly HostFailure[]): unknown[] {
  return failed.map(({ error }) => error);
}
