import type { SecretValues } from '../../infra/context/secret-values.ts';
import type { PulumiSettings } from '../../infra/pulumi/cli.ts';
import { readSecretValues } from '../../infra/pulumi/secret-values.ts';
import type { Environment, Project } from '../../pipelines/model/environment.ts';
import type { Secrets } from '../../pipelines/operations/ports.ts';
import type { SecretVersions } from '../../pipelines/planning/rollout-inputs.ts';
import type { Redactor } from '../tools/redactor.ts';
import { readSecrets, secretVersion } from './secrets.ts';

interface Dependencies {
  readonly project: Project;
  readonly passphrase: string;
  readonly settings: PulumiSettings;
  /** receives the values: no other part of a command sees them */
  readonly values: SecretValues;
  readonly redactor: Redactor;
}

/** The only way to secrets: it reads values from their sources or the record, and returns only names and versions. */
export class SecretStore implements Secrets {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async read(environment: Environment): Promise<SecretVersions> {
    const { project, passphrase } = this.#dependencies;
    const sources = { root: project.root, env: process.env };
    const values = await readSecrets(environment.secrets, secretNames(environment), sources);
    const versions: Record<string, string> = {};
    for (const [name, value] of Object.entries(values)) {
      versions[name] = secretVersion(value, `${project.app}\n${passphrase}`);
      this.#add(name, versions[name], value);
    }
    return versions;
  }

  async recall(environment: string): Promise<void> {
    const recorded = await readSecretValues(this.#dependencies.settings, environment);
    for (const { name, version, value } of recorded) this.#add(name, version, value);
  }

  #add(name: string, version: string, value: string): void {
    this.#dependencies.redactor.add([value]);
    this.#dependencies.values.add(name, version, value);
  }
}

function secretNames({ roles, accessories, migration }: Environment): Set<string> {
  return new Set([
    ...roles.flatMap(({ secrets }) => secrets),
    ...accessories.flatMap(({ secrets }) => secrets),
    ...(migration?.secrets ?? []),
  ]);
}
