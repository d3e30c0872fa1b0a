import { setTimeout as sleep } from 'node:timers/promises';
import {
  messageOf,
  OvertakenError,
  PartialError,
  RolledBackError,
  type WorkloadFailedError,
} from '../../pipelines/errors.ts';
import { restsAsStandby } from '../../pipelines/model/container-spec.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';
import { ofFallback, setName, silenceText, withoutFallback } from '../edge/edge.ts';
import { allVisits, visitsOf, visitTimeout } from '../edge/visits.ts';
import { loadBalancerFolder, loadBalancerState } from '../machines/load-balancer/load-balancer.ts';
import { visitLoadBalancer } from '../machines/load-balancer/visit.ts';
import type { WatchInputs } from '../resources/inputs.ts';
import { workloadFor } from '../workloads/runtimes.ts';
import { workloadError } from '../workloads/workload-error.ts';
import type { Workload } from '../workloads/workload.ts';
import { accessoryStarts, refuseRestarted } from './accessory-watch.ts';
import { handBack } from './handover.ts';
import { bringBack, letRest } from './stop-first.ts';
import { errorsOf, failuresOf, refuseSilent, revertRoutes, textOf } from './switch-routes.ts';
import { overtaken } from './turn.ts';
import { beginJobs, type WatchedJobs } from './watched-jobs.ts';

/**
 * Watches the containers that serve now. A failure, or an operator who stops, takes all hosts back; else the switch is
 * confirmed on all of them, and what the new release replaces without traffic is stopped.
 */
export async function watchRelease(context: ProviderContext, inputs: WatchInputs): Promise<void> {
  if (inputs.handover || inputs.guarded) {
    const jobs = beginJobs(context, inputs);
    try {
      await watch(context, inputs, jobs);
      context.signal.throwIfAborted();
      // What has proven itself may be brought back from now on. It ends before anything is taken back or for good.
      if (inputs.guarded && inputs.stopFirst) await letRest(context, inputs, inputs.stopFirst);
      if (inputs.guarded) await keepRunning(context, inputs);
    } catch (error) {
      jobs.stop();
      await takeBack(context, inputs);
      await jobs.ended;
      // What explains it is only asked for now: a host that keeps it back keeps nobody from serving.
      throw error instanceof WatchFailure ? await error.explained() : error;
    }
  }
  if (inputs.guarded) await confirm(context, inputs);
  await finalize(context, inputs);
}

async function takeBack(context: ProviderContext, inputs: WatchInputs): Promise<void> {
  if (!inputs.handover) {
    await revertRoutes(context, inputs);
    if (inputs.stopFirst) await bringBack(context, inputs, inputs.stopFirst);
    return;
  }
  await handBack(context, inputs.handover).catch((second: unknown) => {
    context.progress({ host: inputs.environment, step: 'stays handed over', detail: messageOf(second) });
  });
}

async function watch(context: ProviderContext, inputs: WatchInputs, jobs: WatchedJobs): Promise<void> {
  const end = performance.now() + inputs.duration;
  const neighbours = inputs.accessories ? await accessoryStarts(context, inputs) : [];
  const watched = inputs.containers.map((placed) => {
    const { app, environment } = inputs;
    return { placed, part: workloadFor(context, { app, environment, ...placed }) };
  });
  const first = await Promise.all(watched.map(state));
  for (let round = 1; performance.now() < end || !jobs.isOver(); round += 1) {
    // Those jobs which take longer than the watch lengthen it.
    const left = jobs.isOver() ? Math.max(0, end - performance.now()) : 250;
    await sleep(Math.min(250, left), undefined, { signal: context.signal });
    jobs.refuseFailed();
    const asks = round % 8 === 0;
    await Promise.all(
      watched.map(async (each, index) => {
        const now = await state(each);
        if (now !== first[index]) throw new WatchFailure(each, 'restarted after the routes switched');
        if (asks) await stillHealthy(each);
      }),
    );
    if (asks) await visitAll(context, inputs);
  }
  jobs.refuseFailed();
  await visitAll(context, inputs);
  if (inputs.accessories) await refuseRestarted(context, inputs, neighbours);
}

/** Asks every host as its visitors do, and what serves there. Throws RolledBackError naming the hosts that do not serve. */
async function visitAll(context: ProviderContext, inputs: WatchInputs): Promise<void> {
  const asked = await Promise.allSettled(
    inputs.hosts.map(async ({ host, set }) => {
      const edge = await edgeOf(context, inputs, host);
      const visited = await edge.visit(visitsOf(host, inputs.containers), {
        seconds: visitTimeout,
        signal: context.signal,
      });
      const wanted = inputs.guarded ? set : withoutFallback(set);
      if (visited.now !== setName(wanted)) throw new Error(`serves ${visited.now} instead of ${setName(wanted)}`);
      refuseSilent(visited);
    }),
  );
  context.signal.throwIfAborted();
  const failed = failuresOf(inputs.hosts, asked);
  if (failed.length > 0) throw notServed(failed.map(({ host }) => host).join(', '), failed.map(textOf));
  await visitLoadBalancerOf(context, inputs);
}

/** Visits an environment's own machines by their one address on this computer, where visitors may come. */
async function visitLoadBalancerOf({ machines, signal }: ProviderContext, inputs: WatchInputs): Promise<void> {
  const loadBalancer = await loadBalancerState(loadBalancerFolder(machines, inputs));
  if (loadBalancer.address === undefined) return;
  const silent = await visitLoadBalancer(loadBalancer.address, allVisits(inputs.containers), {
    seconds: visitTimeout,
    signal,
  });
  if (silent.length > 0) throw notServed('the load balancer', silent.map(silenceText));
}

function notServed(whose: string, details: readonly string[]): RolledBackError {
  return new RolledBackError(`visitors of ${whose} are not served by the release`, { details });
}

interface Watched {
  readonly placed: WatchInputs['containers'][number];
  readonly part: Workload;
}

/** A workload that did not stand the watch. */
class WatchFailure extends Error {
  readonly #watched: Watched;
  readonly #answers: readonly string[];

  constructor(watched: Watched, why: string, answers: readonly string[] = []) {
    super(why);
    this.#watched = watched;
    this.#answers = answers;
  }

  /** Returns the error that says so, with what the workload says of itself. */
  explained(): Promise<WorkloadFailedError> {
    const { part, placed } = this.#watched;
    return workloadError(part, placed, this.message, this.#answers);
  }
}

async function state(watched: Watched): Promise<string> {
  const running = await watched.part.instanceId();
  if (running === undefined) throw new WatchFailure(watched, 'stopped after the routes switched');
  return running;
}

async function stillHealthy(watched: Watched): Promise<void> {
  const { part, placed } = watched;
  if (placed.spec.health.check.kind !== 'http') return;
  const answers: string[] = [];
  const once = { times: 1, interval: 200, seconds: visitTimeout };
  if (await part.healthy(once, { onAnswer: (answer) => answers.push(answer) })) return;
  // What ended while it was asked is not to be called unhealthy.
  await state(watched);
  throw new WatchFailure(watched, 'became unhealthy after the routes switched', answers);
}

/** Makes the switch final on all hosts, or takes all of them back: also those that confirmed. Throws LockageError. */
async function confirm(context: ProviderContext, inputs: WatchInputs): Promise<void> {
  const results = await Promise.allSettled(
    inputs.hosts.map(async ({ host, set }) => {
      const edge = await edgeOf(context, inputs, host);
      await edge.confirm(setName(withoutFallback(set)), inputs.turn, [setName(ofFallback(set))]);
    }),
  );
  const lost = failuresOf(inputs.hosts, results);
  if (lost.length === 0) return;
  const details = lost.map(textOf);
  // One that did not answer may have confirmed: then it does not go back by itself.
  const left = await revertRoutes(context, inputs);
  const all = [...lost, ...left];
  if (all.some(({ error }) => error instanceof OvertakenError)) throw overtaken(inputs.environment, errorsOf(all));
  if (left.length === 0) {
    if (inputs.stopFirst) await bringBack(context, inputs, inputs.stopFirst);
    throw new RolledBackError('the switch could not be confirmed on every host', { details });
  }
  throw new PartialError('the switch could not be confirmed on every host, nor taken back on all of them', {
    details: [...details, ...left.map((each) => `may serve the new release: ${textOf(each)}`)],
  });
}

/** Has hosts bring the release back after a restart, and with it what is kept for a rollback and has traffic. */
async function keepRunning(
  context: ProviderContext,
  { app, environment, containers, kept = [] }: WatchInputs,
): Promise<void> {
  const all = [...containers, ...kept.filter(({ spec }) => !restsAsStandby(spec))];
  await Promise.all(all.map((placed) => workloadFor(context, { app, environment, ...placed }).enableRestart()));
}

/** Makes the release the environment's own from here on, and stops its forerunner. */
async function finalize(context: ProviderContext, inputs: WatchInputs): Promise<void> {
  const { app, environment } = inputs;
  await Promise.all([
    ...(inputs.guarded ? [] : [keepRunning(context, inputs)]),
    ...(inputs.guarded ? [] : inputs.hosts).map(async ({ host, set }) => {
      await (await edgeOf(context, inputs, host)).keep([withoutFallback(set), ofFallback(set)].map(setName));
    }),
    ...inputs.stop.map(async (placed) => {
      await workloadFor(context, { app, environment, ...placed })
        .stop()
        .catch(() => undefined);
    }),
  ]);
}
