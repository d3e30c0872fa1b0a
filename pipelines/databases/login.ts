import { LockageError } from '../errors.ts';
import { secretsPath } from '../model/container-spec.ts';
import type { Accessory } from '../model/environment.ts';
import { kindNamed, type DatabaseKind, type Login } from './kinds.ts';

/** Stands in for each secret that is the name of an account or a database: all that log in have to know it. */
export const standInName = 'app';

/** How one logs in to a database that is baked and forked. */
export interface BakedLogin {
  readonly login: Login;
  /** secrets that are names */
  readonly names: readonly string[];
}

/**
 * Returns how one logs in to an accessory where no secret of an environment is read. Throws LockageError where its image takes a name
 * from a file that nobody can know.
 */
export function bakedLogin(
  { name: accessory, env, secrets }: Pick<Accessory, 'name' | 'env' | 'secrets'>,
  kind: DatabaseKind,
): BakedLogin {
  const { nameVariables, login } = kindNamed(kind);
  const names: string[] = [];
  const given: Record<string, string> = { ...env };
  for (const variable of nameVariables) {
    // As every container gets it, a secret's own variable wins.
    const file = secrets.includes(variable) ? `${secretsPath}/${variable}` : env[`${variable}_FILE`];
    if (env[variable] || !file) continue;
    const secret = secrets.find((each) => file === `${secretsPath}/${each}`);
    if (secret === undefined) throw unknownName(accessory, `${variable}_FILE`, file);
    names.push(secret);
    given[variable] = standInName;
  }
  return { login: login(given), names };
}

function unknownName(accessory: string, variable: string, file: string): LockageError {
  return new LockageError(
    `\`accessories.${accessory}.env.${variable}\` is ${file}, which is the file of none of its secrets`,
    {
      hint: `Write ${secretsPath}/NAME, and NAME in \`accessories.${accessory}.secrets\`; or the name itself as \`${variable.replace(/_FILE$/, '')}\`.`,
    },
  );
}
