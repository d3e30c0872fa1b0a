import { parseDuration } from '../schema/units.ts';
import type { Checked } from './context.ts';

/** Checks that a time which an environment's own file demands is one of another environment: the first comes after none. */
export function checkSoak({ own, resolved, report }: Checked): void {
  const { name, after } = resolved;
  if (own.soak === undefined || parseDuration(own.soak) === 0 || after.length > 0) return;
  report(['soak'], `counts nothing: a release comes to ${name} from no other environment`);
}
