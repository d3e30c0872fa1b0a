import type { Connections } from '../../../infra/docker/connections.ts';
import { secretsOnHost, type SecretsOnHost } from '../../../infra/hosts/secret-check.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import { good, type Check } from '../check.ts';

/** Checks whether the secrets of an environment on a host are for root and their containers only. */
export async function secretChecks(
  connections: Connections,
  app: string,
  environment: Environment,
  host: EnvironmentHost,
): Promise<Check[]> {
  const found = await secretsOnHost(await connections.engine(host), { app, environment: environment.name });
  return found ? checksOf(host.name, `/run/lockage/${app}/${environment.name}`, found) : [];
}

/** Says what was found; `folder`: where secrets were before they had volumes. */
export function checksOf(host: string, folder: string, { volumes, problems, former }: SecretsOnHost): Check[] {
  const safe = problems.length === 0 && former.length === 0;
  const open: Check = {
    name: host,
    level: 'bad',
    text: 'secrets are not for root and their container only',
    details: problems,
    hint: 'Promote the serving version again after `docker rm -f` of the container, which makes both again.',
  };
  const left: Check = {
    name: host,
    level: 'bad',
    text: `${folder} has secrets of an earlier version of Lockage, which every account of the host can read`,
    details: former,
    hint: `Promote until no container named here is left, then run \`rm -r ${folder}\` on ${host}.`,
  };
  return [
    ...(volumes > 0 && safe ? [good(host, `secrets of ${volumes} containers, for root and each of them only`)] : []),
    ...(problems.length > 0 ? [open] : []),
    ...(former.length > 0 ? [left] : []),
  ];
}
