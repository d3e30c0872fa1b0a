import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { SshHost } from '../../../pipelines/model/target.ts';
import { keepLink } from '../../system/keep-link.ts';
import { isPlainPath, runtimeFolder } from '../../system/runtime-folder.ts';
import type { SshCall } from './arguments.ts';
import { sshVersion } from './version.ts';

/**
 * Returns a path by which ssh can be given a file. It reads quotes, `$`, `%` and backslashes in the values of its options, each
 * version in another way, so a file whose path has any of them gets a link with a plain one, always the same.
 */
async function plainPath(file: string): Promise<string> {
  if (isPlainPath(file) || file.startsWith('~')) return file;
  const full = resolve(file);
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 16);
  const link = join(await runtimeFolder(), `${hash}.file`);
  keepLink(link, full);
  return link;
}

/** Returns a host with files, and a file of host keys, by paths that ssh can be given. Throws LockageError. */
export async function plainFiles(host: SshHost, knownHosts: string): Promise<SshCall> {
  const { identity, config } = host.endpoint;
  const endpoint = {
    ...host.endpoint,
    ...(identity === undefined ? {} : { identity: await plainPath(identity) }),
    ...(typeof config === 'string' ? { config: await plainPath(config) } : {}),
  };
  const version = config === undefined ? undefined : await sshVersion();
  return { host: { ...host, endpoint }, knownHosts: await plainPath(knownHosts), version };
}
