import {
  BrokenError,
  detailsOf,
  InterruptedError,
  LockageError,
  messageOf,
  RolledBackError,
} from '../../pipelines/errors.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import { hintFor } from '../docker/api/errors.ts';
import { labels } from '../docker/labels.ts';
import type { Connections } from '../docker/connections.ts';
import { edgeInputs } from '../programs/foundation-inputs.ts';
import type { FoundationPlan } from '../programs/foundation-plan.ts';
import { DownError } from '../workloads/foundation/standing-container.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';
import { environmentNames } from '../../pipelines/model/names.ts';

/** The answers of hosts after a foundation's change failed: one line for each thing that is down, and for each edge. */
interface Aftermath {
  readonly down: readonly string[];
  readonly edges: readonly string[];
}

/**
 * Returns the error of a change that failed of what stays, by what is true on the hosts: what served serves, where all of it
 * runs; else it is broken.
 */
export async function foundationFailure(
  connections: Pick<Connections, 'engine'>,
  plan: FoundationPlan,
  error: unknown,
): Promise<LockageError> {
  const found = await Promise.all(plan.environment.hosts.map((host) => aftermathOf(connections, plan, host)));
  const down = found.flatMap((each) => each.down);
  const [first = '', ...rest] = failureLines(error);
  const what = `what ${plan.environment.name} stands on was not changed: ${first}`;
  const hint = hintOf(error) ?? hintFor('that host', [first, ...rest].join('\n'));
  const options = { hint, cause: error };
  if (down.length > 0 || error instanceof DownError)
    return new BrokenError(what, { ...options, details: [...rest, ...down] });
  const Kind = error instanceof InterruptedError ? InterruptedError : RolledBackError;
  return new Kind(what, { ...options, details: [...rest, ...found.flatMap((each) => each.edges)] });
}

async function aftermathOf(
  connections: Pick<Connections, 'engine'>,
  plan: FoundationPlan,
  host: EnvironmentHost,
): Promise<Aftermath> {
  if (plan.leaving.has(host.name)) return { down: [], edges: [] };
  const { app, environment } = plan;
  const place = { app, environment: environment.name };
  const accessories = environment.accessories.filter((accessory) => accessory.host === host.name);
  try {
    const engine = await connections.engine(host);
    const stateOf = async (name: string, what: string) => {
      const { State, Config } = (await engine.inspectContainer(name)) ?? {};
      const runs = State?.Running === true && !State.Restarting;
      const down = runs ? [] : [`${host.name}: ${what} is down (${State?.Status ?? 'it is not there'})`];
      return { down, spec: Config?.Labels[labels.spec] };
    };
    const edge = await stateOf(environmentNames(app, environment.name).edge, 'the edge proxy');
    const others = await Promise.all(
      accessories.map(({ name }) => stateOf(accessoryName({ ...place, name }), `accessory ${name}`)),
    );
    const isNew = edge.spec === edgeInputs(plan, host).spec;
    return {
      down: [edge, ...others].flatMap((each) => each.down),
      edges: [`${host.name}: the edge proxy is ${isNew ? 'the new one' : 'that of before'}, and runs`],
    };
  } catch (error) {
    return { down: [`what ${host.name} serves is not known: ${messageOf(error)}`], edges: [] };
  }
}

/** Returns what failed, in lines that a person can use: Pulumi's own text says it among much else. */
export function failureLines(error: unknown): string[] {
  if (!(error instanceof LockageError)) return [messageOf(error)];
  const said = error.details.flatMap(pluginError);
  return said.length > 0 ? [...new Set(said)] : [error.message, ...detailsOf(error)];
}

/**
 * Returns the reason in a line of Docker's plugin; nothing of any other line. What Docker's plugin could not do is a
 * line such as `error: sdk-v2/provider2.go:572: sdk.helper_schema: Unable to …`
 */
function pluginError(line: string): string[] {
  const found = /^\s*error:\s+(?:\S+\.go:\d+: )?sdk\.helper_schema: (.+?)(?:: provider=\S+)?\s*$/.exec(line);
  return found?.[1] === undefined ? [] : [found[1]];
}

/** Returns the hint of an error, if it has one. */
export function hintOf(error: unknown): string | undefined {
  return error instanceof LockageError ? error.hint : undefined;
}
