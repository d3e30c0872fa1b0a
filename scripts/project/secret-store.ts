import { formerVersion } from '../../infra/context/secret-key.ts';
import type { SecretValues } from '../../infra/context/secret-values.ts';
import type { PulumiSettings } from '../../infra/pulumi/cli.ts';
import { readSecretValues, type RecordedSecret } from '../../infra/pulumi/secret-values.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { SecretVersion } from '../../pipelines/model/desired-state.ts';
import type { Environment, Project } from '../../pipelines/model/environment.ts';
import type { Secrets } from '../../pipelines/operations/ports/operator.ts';
import type { SecretVersions } from '../../pipelines/planning/rollout-inputs.ts';
import { shortestMasked, type Redactor } from '../tools/redactor.ts';
import { bytesOf } from '../../infra/context/secret-bytes.ts';
import { readSecrets } from './secrets.ts';

interface Dependencies {
  readonly project: Project;
  readonly settings: PulumiSettings;
  /** receives the values: no other part of a command sees them */
  readonly values: SecretValues;
  readonly redactor: Redactor;
  /** shows a line to the operator */
  readonly tell: (text: string) => void;
}

/** The only way to secrets: it reads values from their sources or the record, and returns only names and versions. */
export class SecretStore implements Secrets {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async read(environment: Environment, recorded: SecretVersions = {}): Promise<SecretVersions> {
    const sources = { root: this.#dependencies.project.root, env: process.env };
    const values = await readSecrets(environment.secrets, secretNames(environment), sources);
    const versions: Record<string, string> = {};
    for (const [name, value] of Object.entries(values)) {
      versions[name] = await this.#versionOf(value, recorded[name]);
      this.#add(name, versions[name], value);
      if (value.trim().length < shortestMasked) {
        this.#dependencies.tell(`secret ${name} has less than ${shortestMasked} characters: it is masked nowhere`);
      }
    }
    return versions;
  }

  async recall(environment: string, versions: readonly SecretVersion[]): Promise<void> {
    if (versions.length === 0) return;
    const { settings, values } = this.#dependencies;
    const recorded = await readSecretValues(settings, environment, values.key);
    for (const { name, version, value } of recorded) this.#add(name, version, value);
    refuseUnknown(environment, versions, recorded);
  }

  mask(text: string): string {
    return this.#dependencies.redactor.redact(text);
  }

  /**
   * Returns the version of a value. One that an earlier version of Lockage recorded keeps its own: nothing is
   * replaced because of it.
   */
  async #versionOf(value: string, recorded: string | undefined): Promise<string> {
    const { project, settings, values } = this.#dependencies;
    const former = formerVersion(value, project.app, settings.passphrase);
    return former === recorded ? recorded : values.key.versionOf(value);
  }

  #add(name: string, version: string, value: string): void {
    // In output, bytes that are no text show in base64 if at all, which is a form of them.
    this.#dependencies.redactor.add([bytesOf(value).toString('utf8'), bytesOf(value).toString('base64')]);
    this.#dependencies.values.add(name, version, value);
  }
}

/**
 * Refuses versions whose values are not recorded. No secret is empty: such a value was recorded by an earlier version
 * that did not know it.
 */
function refuseUnknown(
  environment: string,
  versions: readonly SecretVersion[],
  recorded: readonly RecordedSecret[],
): void {
  const isKnown = ({ name, version }: SecretVersion) =>
    recorded.some((each) => each.name === name && each.version === version && each.value !== '');
  const unknown = versions.filter((secret) => !isKnown(secret));
  if (unknown.length === 0) return;
  throw new LockageError(`secrets of ${environment} are not recorded with the values that they had`, {
    details: unknown.map(({ name, version }) => `${name}, version ${version}`),
    hint: 'Promote that release instead: it is made with the values of today.',
  });
}

function secretNames({ roles, accessories, migration, verification = [] }: Environment): Set<string> {
  return new Set([
    ...roles.flatMap(({ secrets }) => secrets),
    ...accessories.flatMap(({ secrets }) => secrets),
    ...(migration?.secrets ?? []),
    ...verification.flatMap(({ secrets }) => secrets),
  ]);
}
