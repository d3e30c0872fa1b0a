import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, LockageError } from '../../pipelines/errors.ts';
import { setName, withoutFallback, type RouteSet } from '../edge/routes.ts';
import { messageOf } from './container.ts';
import { revertRoutes } from './routes.ts';
import type { WatchInputs } from './types.ts';
import { failure, healthAddress, runningState } from './verification.ts';
import { edgeOf, type Workshop } from './workshop.ts';

/**
 * Watches the containers that serve now. A failure, or an operator who stops, takes all hosts back; else the switch is
 * confirmed on all of them, and what the new release replaces without traffic is stopped.
 */
export async function watchRelease(workshop: Workshop, inputs: WatchInputs): Promise<void> {
  if (inputs.guarded) {
    try {
      await watch(workshop, inputs);
      workshop.signal.throwIfAborted();
      await confirm(workshop, inputs);
    } catch (error) {
      await revertRoutes(workshop, inputs);
      throw error;
    }
  }
  await settle(workshop, inputs);
}

async function watch(workshop: Workshop, inputs: WatchInputs): Promise<void> {
  const end = Date.now() + inputs.duration;
  const first = await Promise.all(inputs.containers.map((container) => state(workshop, inputs, container)));
  for (let round = 1; Date.now() < end; round += 1) {
    await sleep(Math.min(250, Math.max(0, end - Date.now())), undefined, { signal: workshop.signal });
    const asks = round % 8 === 0;
    await Promise.all(
      inputs.containers.map(async (container, index) => {
        const now = await state(workshop, inputs, container);
        if (now !== first[index])
          throw await failed(workshop, inputs, container, 'restarted after the routes switched');
        if (asks) await stillHealthy(workshop, inputs, container);
      }),
    );
  }
}

async function state(
  workshop: Workshop,
  inputs: WatchInputs,
  container: WatchInputs['containers'][number],
): Promise<string> {
  const running = await runningState(await workshop.engine(container.host), container.spec.name);
  if (running === undefined) throw await failed(workshop, inputs, container, 'stopped after the routes switched');
  return running;
}

async function stillHealthy(
  workshop: Workshop,
  inputs: WatchInputs,
  container: WatchInputs['containers'][number],
): Promise<void> {
  const { check } = container.spec.health;
  if (check.kind !== 'http') return;
  const edge = await edgeOf(workshop, inputs, container.host);
  const answers: string[] = [];
  const at = await healthAddress(await workshop.engine(container.host), container.spec.name, check);
  const good = await edge.probe(
    at,
    { times: 1, interval: 200, seconds: 3 },
    { onAnswer: (answer) => answers.push(answer) },
  );
  if (!good) throw await failed(workshop, inputs, container, 'became unhealthy after the routes switched', answers);
}

async function failed(
  workshop: Workshop,
  inputs: WatchInputs,
  container: WatchInputs['containers'][number],
  why: string,
  answers: readonly string[] = [],
): Promise<LockageError> {
  return failure(await workshop.engine(container.host), { ...inputs, ...container }, why, answers);
}

async function confirm(workshop: Workshop, inputs: WatchInputs): Promise<void> {
  const results = await Promise.allSettled(
    inputs.hosts.map(async ({ host, set }) => {
      const edge = await edgeOf(workshop, inputs, host);
      await edge.confirm(setName(withoutFallback(set)), inputs.operation, [setName(before(set))]);
    }),
  );
  const lost = results.flatMap((result, index) =>
    result.status === 'rejected' ? [`${inputs.hosts[index]?.host.name}: ${messageOf(result.reason)}`] : [],
  );
  if (lost.length > 0) {
    throw new LockageError('the switch could not be confirmed on every host', {
      code: ExitCode.rolledBack,
      details: lost,
    });
  }
}

/** From here on the release is the environment's own: hosts bring it back after a restart, and its forerunner rests. */
async function settle(workshop: Workshop, inputs: WatchInputs): Promise<void> {
  await Promise.all([
    ...inputs.containers.map(async ({ host, spec }) => {
      const engine = await workshop.engine(host);
      await engine.updateContainer(spec.name, { RestartPolicy: { Name: 'unless-stopped' } });
    }),
    ...(inputs.guarded ? [] : inputs.hosts).map(async ({ host, set }) => {
      await (await edgeOf(workshop, inputs, host)).keep([withoutFallback(set), before(set)].map(setName));
    }),
    ...inputs.stop.map(async ({ host, name, grace }) => {
      await (await workshop.engine(host)).stopContainer(name, grace).catch(() => undefined);
    }),
  ]);
}

/** The routes of the release before: those that a rollback goes back to. */
function before(set: RouteSet): RouteSet {
  return Object.fromEntries(Object.entries(set).map(([port, { fallback }]) => [port, { primary: fallback, fallback }]));
}
