import { messageOf } from '../../errors.ts';
import { restsAsStandby } from '../../model/container-spec.ts';
import { onActiveHosts } from '../../model/cordons.ts';
import type { DesiredState, PlacedContainer } from '../../model/desired-state.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import { keepable } from '../../planning/stop-first.ts';
import type { Context } from '../ports.ts';

/** The extent to which an environment is back: on all hosts, on some, or on none, and what is wrong on which. */
export interface BackResult {
  readonly back: 'everywhere' | 'in part' | 'nowhere';
  /** `prod-2: web 1.0.0 does not run` */
  readonly faults: readonly string[];
}

/**
 * Asks all hosts whether they serve again what is recorded, after what the operation that failed may have stopped was started:
 * what has no traffic and rests, and, of the roles of `stopped`, all that had to end before something started. `aside`: what hosts
 * serve that are cordoned again. Never throws for a host.
 */
export async function verifyBack(
  context: Context,
  state: DesiredState,
  aside?: DesiredState,
  stopped: readonly string[] = [],
): Promise<BackResult> {
  const [result, beside] = await Promise.all([askAll(context, state, stopped), aside && askAll(context, aside)]);
  if (!beside || beside.faults.length === 0) return result;
  return { back: result.back === 'nowhere' ? 'nowhere' : 'in part', faults: [...result.faults, ...beside.faults] };
}

async function askAll(context: Context, state: DesiredState, stopped: readonly string[] = []): Promise<BackResult> {
  const { hosts, project } = context;
  const environment = environmentNamed(project, state.environment);
  // What was not started is found by asking.
  await hosts.startAndStop(environment, toStart(state, stopped), []).catch(() => undefined);
  return askWhetherServed(context, state);
}

/** A standby with traffic runs, too, unless what serves bears none of its role beside it. */
function toStart({ ledger, serving, standby }: DesiredState, roles: readonly string[]): PlacedContainer[] {
  const beside = keepable(standby, serving).filter(({ spec }) => !restsAsStandby(spec));
  const hadToEnd = ({ spec }: PlacedContainer) => roles.includes(spec.role);
  const resting = serving.filter((placed) => restsAsStandby(placed.spec) || hadToEnd(placed));
  return onActiveHosts(ledger, [...resting, ...beside.filter(hadToEnd)]);
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
