import { messageOf } from '../../pipelines/errors.ts';
import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { Place, StopFirstInputs } from '../resources/inputs.ts';
import { runtimeOf, workloadFor } from '../workloads/runtimes.ts';

/**
 * Has all of some roles end on all hosts, and only then starts what comes next, which `proven` waits for. A restart of a host
 * meanwhile brings back what was there before: nothing but a release that has proven itself comes up by itself. Brings
 * it back here as well when anything fails, and throws that.
 */
export async function stopThenStart(
  context: ProviderContext,
  place: Place,
  change: StopFirstInputs,
  proven: () => Promise<void>,
): Promise<void> {
  const begun = performance.now();
  try {
    await endRoles(context, place, change);
    context.signal.throwIfAborted();
    await Promise.all(change.start.map((placed) => start(context, place, placed)));
    await proven();
  } catch (error) {
    await bringBack(context, place, change);
    throw error;
  }
  if (!context.gaps) return;
  // Of the first one of a role, or of one that stays, nobody waited for anything.
  const stopped = new Set(change.before.map(({ spec }) => spec.role));
  for (const role of stopped) context.gaps[role] = Math.round(performance.now() - begun);
}

/** Ends whatever runs of the roles on any host, also what an operation that was killed has started, but what comes next. */
async function endRoles(context: ProviderContext, place: Place, change: StopFirstInputs): Promise<void> {
  const { roles, start: next, before, serving } = change;
  const except = new Set([...next, ...serving].map(({ spec }) => spec.name));
  const graces = new Map(before.map(({ spec }) => [spec.name, spec.stopGrace]));
  const targets = new Map<string, Target>([...before, ...next, ...serving].map(({ host }) => [host.name, host]));
  await Promise.all(
    [...targets.values()].map((target) => runtimeOf(target).endRoles(context, place, { roles, except, graces })),
  );
}

async function start(context: ProviderContext, place: Place, placed: PlacedContainer): Promise<void> {
  await workloadFor(context, { ...place, ...placed }).start({ onTrial: true });
  context.progress({ host: placed.host.name, step: 'start', detail: placed.spec.name });
}

/**
 * Stops what came and starts again what was there before, role by role: where the one cannot be stopped, the other stays
 * as it is. Never throws: whoever goes back asks afterwards what serves.
 */
export async function bringBack(context: ProviderContext, place: Place, change: StopFirstInputs): Promise<void> {
  await Promise.all(
    change.roles.map(async (role) => {
      const isOf = ({ spec }: PlacedContainer) => spec.role === role;
      try {
        await Promise.all(
          change.start.filter(isOf).map((placed) => workloadFor(context, { ...place, ...placed }).stop()),
        );
        await Promise.all(
          change.before.filter(isOf).map(async (placed) => {
            await workloadFor(context, { ...place, ...placed }).start();
            context.progress({ host: placed.host.name, step: 'start again', detail: placed.spec.name });
          }),
        );
      } catch (error) {
        context.progress({ host: place.environment, step: `${role} is not back yet`, detail: messageOf(error) });
      }
    }),
  );
}

/**
 * Lets what was there before rest for good: what came in its place is what a host brings back from now on. What somebody has
 * removed comes back to nobody.
 */
export async function letRest(context: ProviderContext, place: Place, { before }: StopFirstInputs): Promise<void> {
  const targets = new Map<string, Target>(before.map(({ host }) => [host.name, host]));
  await Promise.all(
    [...targets.values()].map(async (target) => {
      const found = await runtimeOf(target).releaseParts(await context.engine(target), place, {});
      const there = new Set(found.map(({ container }) => container));
      const own = before.filter(({ host, spec }) => host.name === target.name && there.has(spec.name));
      await Promise.all(own.map((placed) => workloadFor(context, { ...place, ...placed }).stop()));
    }),
  );
}
