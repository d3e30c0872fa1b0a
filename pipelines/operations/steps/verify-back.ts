import { messageOf } from '../../errors.ts';
import { restsAsStandby } from '../../model/container-spec.ts';
import { onActiveHosts } from '../../model/cordons.ts';
import type { DesiredState } from '../../model/desired-state.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import type { Context } from '../ports.ts';

/** The extent to which an environment is back: on all hosts, on some, or on none, and what is wrong on which. */
export interface BackResult {
  readonly back: 'everywhere' | 'in part' | 'nowhere';
  /** `prod-2: web 1.0.0 does not run` */
  readonly faults: readonly string[];
}

/**
 * Asks all hosts whether they serve again what is recorded, after what has no traffic was started where it rests: the
 * operation that failed may have stopped it. `aside`: what hosts serve that are cordoned again. Never throws for a host.
 */
export async function verifyBack(context: Context, state: DesiredState, aside?: DesiredState): Promise<BackResult> {
  const [result, beside] = await Promise.all([askAll(context, state), aside && askAll(context, aside)]);
  if (!beside || beside.faults.length === 0) return result;
  return { back: result.back === 'nowhere' ? 'nowhere' : 'in part', faults: [...result.faults, ...beside.faults] };
}

async function askAll(context: Context, state: DesiredState): Promise<BackResult> {
  const { hosts, project } = context;
  const resting = onActiveHosts(state.ledger, state.serving).filter(({ spec }) => restsAsStandby(spec));
  const environment = environmentNamed(project, state.environment);
  // What was not started is found by asking.
  await hosts.startAndStop(environment, resting, []).catch(() => undefined);
  return askWhetherServed(context, state);
}

/** Asks all hosts whether they serve a state. Never throws for a host. */
export async function askWhetherServed({ hosts }: Pick<Context, 'hosts'>, state: DesiredState): Promise<BackResult> {
  const answers = await hosts.serving(state).catch((error: unknown) => [{ host: '', fault: messageOf(error) }]);
  const faults = answers.flatMap(({ host, fault }) =>
    fault === undefined ? [] : [host ? `${host}: ${fault}` : fault],
  );
  const back = faults.length === 0 ? 'everywhere' : faults.length < answers.length ? 'in part' : 'nowhere';
  return { back, faults };
}
