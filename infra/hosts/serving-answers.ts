import { messageOf } from '../../pipelines/errors.ts';
import { onActiveHosts } from '../../pipelines/model/cordons.ts';
import type { DesiredState, PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { ServingAnswer } from '../../pipelines/operations/ports/hosts.ts';
import type { Connections } from '../docker/connections.ts';
import { Edge, isNamed, silenceText, withoutFallback } from '../edge/edge.ts';
import { hostRoutes, type HostRoutes } from '../edge/host-routes.ts';
import { bareVisits, visitTimeout } from '../edge/visits.ts';
import { runtimeOf } from '../workloads/runtimes.ts';

/** Milliseconds for each answer of a host. */
const answerTimeout = 10_000;

/** Asks all hosts of an environment at once whether they serve a state. Never throws for a host. */
export async function servingAnswers(
  connections: Pick<Connections, 'engine'>,
  state: DesiredState,
): Promise<readonly ServingAnswer[]> {
  const active = onActiveHosts(state.ledger, state.serving);
  const targets = new Map(active.map(({ host }) => [host.name, host]));
  const asked = [
    ...hostRoutes(state).map((routes) => ({
      name: routes.host.name,
      ask: () => routeFault(connections, state, routes),
    })),
    ...[...targets.values()].map((target) => ({
      name: target.name,
      ask: () => containerFault(connections, state, target, active),
    })),
  ];
  const faults = await Promise.all(
    asked.map(async ({ name, ask }) => ({ name, fault: await ask().catch((error: unknown) => messageOf(error)) })),
  );
  return [...new Set(asked.map(({ name }) => name))].map((host) => {
    const own = faults.flatMap(({ name, fault }) => (name === host && fault !== undefined ? [fault] : []));
    return own.length === 0 ? { host } : { host, fault: [...new Set(own)].join('; ') };
  });
}

async function routeFault(
  connections: Pick<Connections, 'engine'>,
  { app, environment }: DesiredState,
  { host, set }: HostRoutes,
): Promise<string | undefined> {
  const edge = new Edge(await connections.engine(host), environmentNames(app, environment).edge);
  // Whether what is behind a port is well is another question: it is what served before.
  const { now, pending, silent } = await edge.visit(bareVisits(Object.keys(set)), { seconds: visitTimeout });
  if (pending !== undefined) return 'its last switch is not confirmed';
  if (!isNamed(now, withoutFallback(set))) return 'its traffic goes elsewhere than before';
  return silent.length === 0 ? undefined : silent.map(silenceText).join('; ');
}

async function containerFault(
  connections: Pick<Connections, 'engine'>,
  { app, environment }: DesiredState,
  target: Target,
  serving: readonly PlacedContainer[],
): Promise<string | undefined> {
  const engine = await connections.engine(target);
  const parts = await runtimeOf(target).releaseParts(engine, { app, environment }, { deadline: answerTimeout });
  const running = new Set(parts.filter(({ runs }) => runs).map(({ container }) => container));
  const down = serving.filter(({ host, spec }) => host.name === target.name && !running.has(spec.name));
  return down.length === 0 ? undefined : down.map(({ spec }) => `${spec.role} ${spec.version} does not run`).join(', ');
}
