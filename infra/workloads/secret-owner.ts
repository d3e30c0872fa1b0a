import { posix } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';

/** The owner of a file, by numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The accounts of an image, as its /etc/passwd and /etc/group say; empty where it has none. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/**
 * Returns the numbers of `uid`, `uid:gid`, `name` or `name:group`, as Docker finds them; empty is root. Returns the name
 * that the image does not know instead.
 */
export function findOwner(user: string, { passwd, group }: Accounts): Owner | { readonly unknown: string } {
  const [name = '', groupName] = user.split(':');
  const account = linesOf(passwd).find(([login, , uid]) => login === (name || 'root') || uid === name);
  const uid = account?.[2] ?? (name === '' || name === 'root' ? '0' : name);
  if (!isNumber(uid)) return { unknown: `user ${name}` };
  const gid = groupName ? groupNumber(groupName, group) : (account?.[3] ?? '0');
  return isNumber(gid) ? { uid: Number(uid), gid: Number(gid) } : { unknown: `group ${groupName}` };
}

/** Returns who a never started container would run as. Throws LockageError when its image does not know the name. */
export async function ownerIn(engine: Engine, container: string, user: string, image: string): Promise<Owner> {
  const numbers = /^\d+:\d+$/.test(user);
  const accounts = numbers ? { passwd: '', group: '' } : await accountsOf(engine, container);
  const found = findOwner(user, accounts);
  if (!('unknown' in found)) return found;
  throw new LockageError(`${engine.host}: image ${image} has no ${found.unknown}`, {
    hint: 'Write the user as numbers, as "1000:1000".',
  });
}

async function accountsOf(engine: Engine, container: string): Promise<Accounts> {
  const [passwd, group] = await Promise.all([
    textFile(engine, container, '/etc/passwd'),
    textFile(engine, container, '/etc/group'),
  ]);
  return { passwd, group };
}

/** How many links in a row are followed. */
const maxLinks = 5;

/** Reads a file of a container. An engine sends a link as it is: some distributions keep these files elsewhere. */
async function textFile(engine: Engine, container: string, path: string, links = maxLinks): Promise<string> {
  const [found] = (await engine.getArchive(container, path)) ?? [];
  if (found?.type !== 'link') return found?.content.toString('utf8') ?? '';
  if (links === 0) return '';
  return textFile(engine, container, posix.resolve(posix.dirname(path), found.target ?? ''), links - 1);
}

function groupNumber(name: string, group: string): string {
  return linesOf(group).find(([known, , gid]) => known === name || gid === name)?.[2] ?? name;
}

function linesOf(text: string): string[][] {
  return text.split('\n').map((line) => line.trim().split(':'));
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
