import { setTimeout as sleep } from 'node:timers/promises';
import type { Ended } from '../../system/process.ts';

const attempts = 4;

/**
 * Runs ssh, and retries after a while if the sshd dropped it: it drops connections at random when many begin at once.
 */
export async function retryDropped(ssh: () => Promise<Ended>): Promise<Ended> {
  for (let attempt = 1; ; attempt++) {
    const ended = await ssh();
    const dropped = /kex_exchange_identification|Connection (?:closed|reset) by/.test(ended.stderr);
    if (ended.code === 0 || !dropped || attempt === attempts) return ended;
    await sleep(200 * 2 ** attempt * (0.5 + Math.random()));
  }
}
