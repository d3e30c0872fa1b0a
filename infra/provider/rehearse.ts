import { LockageError, messageOf, NotStartedError, OvertakenError } from '../../pipelines/errors.ts';
import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';
import { setName, silenceText, withoutFallback } from '../edge/edge.ts';
import { bareVisits, visitTimeout } from '../edge/visits.ts';
import type { RoutesInputs } from '../resources/inputs.ts';
import { workloadFor } from '../workloads/runtimes.ts';
import { workloadError } from '../workloads/workload-error.ts';

/** One good answer is asked for: the container has proven itself when it came in. */
const once = { times: 1, interval: 200, seconds: 5 };

/** A switch that is only tried. */
interface Rehearsal extends Omit<RoutesInputs, 'guard'> {
  /** the containers that would get the traffic */
  readonly containers: readonly PlacedContainer[];
}

/**
 * Does on all hosts, at once, all that a final switch does, but the switch: routes are delivered and accepted, and the
 * containers that would get the traffic answer. Throws LockageError naming each host and what keeps it, or NotStartedError
 * where hosts cannot try it.
 */
export async function rehearseSwitch(context: ProviderContext, inputs: Rehearsal): Promise<void> {
  const results = await Promise.allSettled([
    ...inputs.hosts.map((each) => rehearseRoutes(context, inputs, each)),
    ...inputs.containers.map((placed) => answers(context, inputs, placed)),
  ]);
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const [first] = failed;
  if (first === undefined) return;
  if (first instanceof LockageError && failed.length === 1) throw first;
  throw failed.find((error) => error instanceof OvertakenError) ?? keptBack(inputs.environment, failed);
}

/**
 * Makes the error for what keeps an environment from going back. What could not be tried says nothing of a rollback;
 * what was tried and failed does.
 */
function keptBack(environment: string, failed: readonly unknown[]): LockageError {
  const [first] = failed;
  const options = { details: failed.map(messageOf), cause: first };
  const untried = failed.filter((error) => error instanceof NotStartedError);
  if (untried.length === failed.length) {
    return new NotStartedError(`a rollback of ${environment} cannot be rehearsed on ${failed.length} hosts`, {
      ...options,
      hint: untried[0]?.hint,
    });
  }
  return new LockageError(`${failed.length} things keep ${environment} from going back`, options);
}

async function rehearseRoutes(
  context: ProviderContext,
  inputs: Rehearsal,
  { host, set }: RoutesInputs['hosts'][number],
): Promise<void> {
  const edge = await edgeOf(context, inputs, host);
  const wanted = withoutFallback(set);
  await edge.prepare([wanted]);
  await edge.rehearse(setName(wanted), inputs.turn);
  const { silent } = await edge.visit(bareVisits(Object.keys(wanted)), {
    seconds: visitTimeout,
    signal: context.signal,
  });
  if (silent.length > 0) throw new LockageError(`${host.name}: ${silent.map(silenceText).join('; ')}`);
  context.progress({ host: host.name, step: 'rehearsed' });
}

async function answers(context: ProviderContext, inputs: Rehearsal, placed: PlacedContainer): Promise<void> {
  const subject = { app: inputs.app, environment: inputs.environment, ...placed };
  const part = workloadFor(context, subject);
  if ((await part.instanceId()) === undefined) throw await workloadError(part, subject, 'is not running');
  const said: string[] = [];
  if (await part.healthy(once, { onAnswer: (answer) => said.push(answer) })) return;
  throw await workloadError(part, subject, `was not healthy within ${once.seconds} s`, said);
}
