import { LockageError } from '../errors.ts';
import { didYouMean } from '../text/suggest.ts';
import type { Accessory, Environment, Project } from './environment.ts';

/**
 * Returns the environment of that name.
 * @throws LockageError (refused) that lists the names there are.
 */
export function environmentNamed(project: Project, name: string): Environment {
  const found = project.environments.find((environment) => environment.name === name);
  if (found !== undefined) return found;
  const names = project.environments.map((environment) => environment.name);
  throw new LockageError(`no environment ${JSON.stringify(name)} in ${project.app}${didYouMean(name, names)}`, {
    hint: `Environments of ${project.app}: ${names.join(', ')}.`,
  });
}

/** Returns the environment that releases come to first; undefined where there is none. */
export function firstEnvironment(project: Pick<Project, 'environments'>): Environment | undefined {
  return project.environments.find(({ after }) => after.length === 0);
}

/** Returns the accessory of that name. Throws LockageError (refused) that lists the names there are. */
export function accessoryNamed({ name: environment, accessories }: Environment, name: string): Accessory {
  const found = accessories.find((accessory) => accessory.name === name);
  if (found) return found;
  const names = accessories.map((accessory) => accessory.name);
  throw new LockageError(`${environment} has no accessory ${name}${didYouMean(name, names)}`, {
    details: [names.length === 0 ? 'it has none' : `there are ${names.join(', ')}`],
  });
}

/** Returns the environments that a release must have passed directly before this one, in pipeline order. */
export function upstream(project: Project, environment: Environment): Environment[] {
  return project.environments.filter(({ name }) => environment.after.includes(name));
}
