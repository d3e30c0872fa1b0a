import { LockageError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Engine } from '../docker/api/client.ts';

const option = 'com.docker.network.driver.mtu';

/** Returns the options of an environment's network: those of Docker's drivers, which are the same for bridges and overlays. */
export function networkOptions({ network }: Pick<Environment, 'network'>): Record<string, string> | undefined {
  return network ? { [option]: String(network.mtu) } : undefined;
}

/**
 * Refuses another MTU than that of a network which is there. Docker sets it when a network is made, and a network cannot be
 * made again under containers that serve. Throws LockageError.
 */
export async function refuseOtherMtu(
  engine: Engine,
  app: string,
  environment: Pick<Environment, 'name' | 'network'>,
  call: { readonly deadline: number },
): Promise<void> {
  const { name, network: wanted } = environment;
  if (!wanted) return;
  const { network } = environmentNames(app, name);
  const found = await engine.inspectNetwork(network, call);
  const actual = found?.Options?.[option];
  if (!found || actual === String(wanted.mtu)) return;
  throw new LockageError(
    `network ${network} has MTU ${actual ?? 'none of its own'}, and ${name} is configured with ${wanted.mtu}`,
    {
      hint: `It is set when a network is made: make another environment with it, or \`lockage destroy ${name}\` and promote again.`,
    },
  );
}
