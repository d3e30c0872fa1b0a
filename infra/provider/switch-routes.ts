import { messageOf, PartialError, RolledBackError } from '../../pipelines/errors.ts';
import { setName, withoutFallback, type Edge, type RouteSet } from '../edge/edge.ts';
import type { Place, RoutesInputs } from '../resources/inputs.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';

/** Milliseconds a host has to answer just before a switch. */
const answerTimeout = 10_000;

/**
 * Switches the routes of all hosts at once. The barrier delivered them, so the switch itself is one rename a host. If any
 * host fails, those that switched go back and the error names it; a final switch, which leads back to what is known to
 * be good, stands on the others. Throws RolledBackError or PartialError.
 */
export async function switchRoutes(context: ProviderContext, inputs: RoutesInputs): Promise<void> {
  const edges = await Promise.all(
    inputs.hosts.map(async ({ host, set }) => ({ host, set, edge: await edgeOf(context, inputs, host) })),
  );
  if (inputs.guard > 0) await allAnswer(context, inputs.hosts);
  context.signal.throwIfAborted();
  const switched = await Promise.allSettled(
    edges.map(async ({ host, edge, set }) => {
      const wanted = inputs.guard > 0 ? set : withoutFallback(set);
      const before = await switchTo(edge, wanted, inputs);
      if (before !== setName(wanted)) context.progress({ host: host.name, step: 'switch' });
    }),
  );
  const failed = switched.flatMap((result, index) =>
    result.status === 'rejected' ? [`${edges[index]?.host.name}: ${messageOf(result.reason)}`] : [],
  );
  if (failed.length === 0) return;
  if (inputs.guard === 0) {
    throw new PartialError(`the routes did not switch on ${failed.length} of ${edges.length} hosts`, {
      details: failed,
      hint: 'Run the same command again when these hosts answer.',
    });
  }
  await Promise.allSettled(edges.map(({ edge }) => edge.revert(inputs.operation)));
  throw new RolledBackError('the routes did not switch on every host', { details: failed });
}

/**
 * A host that is gone is found out before any host switches, not while the others serve what will be taken back. Throws
 * LockageError.
 */
async function allAnswer(context: ProviderContext, hosts: RoutesInputs['hosts']): Promise<void> {
  const asked = await Promise.allSettled(
    hosts.map(async ({ host }) => (await context.engine(host)).ping({ deadline: answerTimeout })),
  );
  const silent = asked.flatMap((result, index) =>
    result.status === 'rejected' ? [`${hosts[index]?.host.name}: ${messageOf(result.reason)}`] : [],
  );
  if (silent.length === 0) return;
  throw new RolledBackError('no host switched, as not every one answers', { details: silent });
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

/** A host has the routes that the barrier delivered and those of before, so this is one call to it; else they are sent. */
async function switchTo(edge: Edge, set: RouteSet, { operation, guard }: RoutesInputs): Promise<string | undefined> {
  const before = await edge.switch(setName(set), operation, guard);
  if (before !== undefined) return before;
  await edge.prepare([set, withoutFallback(set)]);
  return edge.switch(setName(set), operation, guard);
}

/** Takes an unconfirmed switch back on all hosts. Hosts that cannot be reached go back by themselves. */
export async function revertRoutes(
  context: ProviderContext,
  inputs: Place & Pick<RoutesInputs, 'hosts' | 'operation'>,
): Promise<void> {
  const results = await Promise.allSettled(
    inputs.hosts.map(async ({ host }) => {
      await (await edgeOf(context, inputs, host)).revert(inputs.operation);
      context.progress({ host: host.name, step: 'switch back' });
    }),
  );
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const host = inputs.hosts[index]?.host.name ?? '';
    context.progress({ host, step: 'goes back by itself', detail: messageOf(result.reason) });
  }
}
