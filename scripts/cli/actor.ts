import { hostname } from 'node:os';
import { userName } from '../../infra/system/this-user.ts';

/** Returns who acts, as `user@machine`: `LOCKAGE_ACTOR`, else the user of this process. */
export function actorOf(env: NodeJS.ProcessEnv = process.env): string {
  return env['LOCKAGE_ACTOR'] || `${userName()}@${hostname()}`;
}
