import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { didYouMean } from '../text/suggest.ts';

/** Throws LockageError when the environment has no host of that name. */
export function checkHost(environment: Environment, host: string): void {
  const names = environment.hosts.map(({ name }) => name);
  if (names.includes(host)) return;
  throw new LockageError(`${environment.name} has no host ${host}${didYouMean(host, names)}`, {
    details: [`its hosts: ${names.join(', ')}`],
  });
}
