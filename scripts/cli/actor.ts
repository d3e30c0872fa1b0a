import { hostname, userInfo } from 'node:os';

/** Returns who acts, as `user@machine`: `LOCKAGE_ACTOR`, else the user of this process. */
export function actorOf(env: NodeJS.ProcessEnv = process.env): string {
  return env['LOCKAGE_ACTOR'] ?? `${userName()}@${hostname()}`;
}

/** Returns the user's name. One without a line in passwd, as in many containers, is called by number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
