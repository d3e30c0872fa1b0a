import type { Look } from '../../../pipelines/hosts/abilities.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import { abilitiesOf } from '../../docker/abilities.ts';
import type { CallOptions, Engine } from '../../docker/api/client.ts';
import { publishedPorts } from '../../edge/published-ports.ts';

/** Asks an engine what decides whether an environment can run there. */
export async function lookAt(
  engine: Engine,
  host: EnvironmentHost,
  { app, environment }: { readonly app: string; readonly environment: Environment },
  call: CallOptions = {},
): Promise<Look> {
  const [info, networks] = await Promise.all([engine.info(call), engine.subnets(call)]);
  const { network } = environmentNames(app, environment.name);
  return {
    environment,
    host: host.name,
    ...(host.kind === 'host' ? { address: host.address } : {}),
    abilities: abilitiesOf(info),
    ports: publishedPorts(environment, host),
    ...(networks.has(network) ? {} : { subnets: [...networks.values()].flat() }),
  };
}
