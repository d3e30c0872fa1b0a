import { lookup } from 'node:dns/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { isIpAddress } from '../../pipelines/model/ip-address.ts';

/** Returns the address of a host: an IPv4 one where it has some, and always the same one of several. Throws LockageError. */
export async function addressOf(host: string): Promise<string> {
  if (isIpAddress(host)) return host;
  try {
    const found = await lookup(host, { all: true });
    const [first] = found.sort((a, b) => a.family - b.family || (a.address < b.address ? -1 : 1));
    if (first) return first.address;
    throw new Error('it has no address');
  } catch (error) {
    throw new LockageError(`the address of ${host} cannot be looked up: ${messageOf(error)}`, {
      hint: `Give its target an IPv4 or IPv6 address as \`address\`, or see that this computer finds ${host}.`,
      cause: error,
    });
  }
}
