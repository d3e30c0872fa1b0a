import { detailsOf, messageOf, PartialError } from '../../errors.ts';
import type { PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { Context } from '../ports.ts';

/** Containers without a switch to wait for. */
interface Turns {
  readonly start: readonly PlacedContainer[];
  readonly stop: readonly PlacedContainer[];
  /** what has to end before anything of its role starts */
  readonly first: readonly PlacedContainer[];
}

/**
 * Starts and stops containers of all roles at once; of a role of which two at once are wrong, it starts nothing before all that has to
 * end has ended. A role that fails keeps no other from starting. Throws LockageError, of several what each of them says.
 */
export async function startInTurn(
  { hosts }: Pick<Context, 'hosts'>,
  environment: Environment,
  { start, stop, first }: Turns,
): Promise<void> {
  const roles = [...new Set(first.map(({ spec }) => spec.role))];
  const others = start.filter(({ spec }) => !roles.includes(spec.role));
  const results = await Promise.allSettled([
    ...(others.length + stop.length > 0 ? [hosts.startAndStop(environment, others, stop)] : []),
    ...roles.map(async (role) => {
      const isOf = ({ spec }: PlacedContainer) => spec.role === role;
      await hosts.startAndStop(environment, [], first.filter(isOf));
      const next = start.filter(isOf);
      if (next.length > 0) await hosts.startAndStop(environment, next, []);
    }),
  ]);
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failed.length === 0) return;
  if (failed.length === 1) throw failed[0];
  throw new PartialError('containers of several roles did not start or stop', {
    details: failed.flatMap((error) => [messageOf(error), ...detailsOf(error)]),
    cause: failed[0],
  });
}
