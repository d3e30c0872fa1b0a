import { LockageError } from '../../pipelines/errors.ts';
import { setName, withoutFallback, type Edge, type RouteSet } from '../edge/routes.ts';
import { messageOf } from './container.ts';
import type { Place, RoutesInputs } from './types.ts';
import { edgeOf, type Workshop } from './workshop.ts';

/**
 * Switches the routes of all hosts at once. Everything that can fail slowly is done first; the switch itself is one
 * rename a host. If any host fails, those that switched go back and the error names it.
 */
export async function switchRoutes(workshop: Workshop, inputs: RoutesInputs): Promise<void> {
  const edges = await Promise.all(
    inputs.hosts.map(async ({ host, set }) => ({ host, set, edge: await edgeOf(workshop, inputs, host) })),
  );
  if (inputs.guard > 0) await Promise.all(edges.map(({ edge, set }) => edge.prepare([set, withoutFallback(set)])));
  workshop.signal.throwIfAborted();
  const switched = await Promise.allSettled(
    edges.map(async ({ host, edge, set }) => {
      const name = setName(inputs.guard > 0 ? set : withoutFallback(set));
      const before =
        inputs.guard > 0
          ? await edge.switch(name, inputs.operation, inputs.guard)
          : await switchForGood(edge, withoutFallback(set), inputs.operation);
      if (before !== name) workshop.progress({ host: host.name, step: 'switch' });
    }),
  );
  const failed = switched.flatMap((result, index) =>
    result.status === 'rejected' ? [`${edges[index]?.host.name}: ${messageOf(result.reason)}`] : [],
  );
  if (failed.length === 0) return;
  await Promise.allSettled(edges.map(({ edge }) => edge.revert(inputs.operation)));
  throw new LockageError('the routes did not switch on every host', { details: failed });
}

/** A host has the routes of what it served before, so going back is one call to it. */
async function switchForGood(edge: Edge, set: RouteSet, operation: string): Promise<string> {
  const before = await edge.switchBack(setName(set), operation);
  if (before !== undefined) return before;
  await edge.prepare([set]);
  return edge.switch(setName(set), operation, 0);
}

/** Takes an unconfirmed switch back on all hosts. Hosts that cannot be reached go back by themselves. */
export async function revertRoutes(
  workshop: Workshop,
  inputs: Place & Pick<RoutesInputs, 'hosts' | 'operation'>,
): Promise<void> {
  const results = await Promise.allSettled(
    inputs.hosts.map(async ({ host }) => {
      await (await edgeOf(workshop, inputs, host)).revert(inputs.operation);
      workshop.progress({ host: host.name, step: 'switch back' });
    }),
  );
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const host = inputs.hosts[index]?.host.name ?? '';
    workshop.progress({ host, step: 'goes back by itself', detail: messageOf(result.reason) });
  }
}
