import type { Project, Environment } from '../../pipelines/model/environment.ts';
import type { Session } from '../../infra/context/session.ts';
import { readSecrets } from './secrets.ts';
import { readSecretValues } from '../../infra/pulumi/secret-values.ts';
import type { Secrets } from '../../pipelines/operations/ports.ts';
import type { Redactor } from '../tools/redactor.ts';

export function secretsOf(
  project: Project,
  session: Session,
  redactor: Redactor,
  version: (value: string) => string,
  settings: Parameters<typeof readSecretValues>[0],
): Secrets {
  return {
    version,
    read: async (environment) => {
      const context = { root: project.root, env: process.env };
      const values = await readSecrets(environment.secrets, secretNames(environment), context);
      redactor.add(Object.values(values));
      for (const [name, value] of Object.entries(values)) {
        session.secretValues.set(`${name}@${version(value)}`, value);
      }
      return values;
    },
    recorded: async (environment) => {
      const values = await readSecretValues(settings, environment);
      redactor.add(Object.values(values));
      return values;
    },
  };
}

function secretNames(environment: Environment): Set<string> {
  return new Set([
    ...environment.roles.flatMap(({ secrets }) => secrets),
    ...environment.accessories.flatMap(({ secrets }) => secrets),
    ...(environment.migration?.secrets ?? []),
  ]);
}
