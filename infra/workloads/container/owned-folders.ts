import { LockageError } from '../../../pipelines/errors.ts';
import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import type { ContainerBody, Engine } from '../../docker/api/client.ts';
import { ownerIn } from '../secret-owner.ts';

type Made = Pick<ContainerSpec, 'name' | 'image' | 'hardening'>;

interface Making {
  readonly request: ContainerBody;
  /** who its image starts as */
  readonly imageUser: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Creates a container whose folders in memory are its user's. For a user by name it takes a container to ask whom its image calls
 * so, which is made again where there are such folders. Returns its id. Throws LockageError for a name of the configuration that the
 * image does not know, or that is its root's.
 */
export async function createForUser(engine: Engine, spec: Made, making: Making): Promise<string> {
  const { request, imageUser = '', signal } = making;
  const { name, image, hardening } = spec;
  const options = signal ? { signal } : {};
  const user = hardening.user ?? imageUser;
  const uid = uidOf(user);
  if (uid !== undefined) return engine.createContainer(name, withOwnedFolders(request, uid), options);
  const id = await engine.createContainer(name, request, options);
  // A name in the image itself that it does not know keeps the container from starting, and says so.
  if (hardening.user === undefined && !hasOwnFolders(request)) return id;
  try {
    const owner = await ownerIn(engine, name, user, image);
    if (owner.uid === 0 && hardening.user !== undefined && !hardening.allowRoot) throw rootByName(engine, user, image);
    if (!hasOwnFolders(request)) return id;
    await engine.removeContainer(id, { force: true });
    return await engine.createContainer(name, withOwnedFolders(request, owner.uid), options);
  } catch (error) {
    await engine.removeContainer(id, { force: true });
    throw error;
  }
}

function rootByName(engine: Engine, user: string, image: string): LockageError {
  return new LockageError(`${engine.host}: user ${user} of image ${image} is its root`, {
    hint: 'Name another one, or open hardening.allowRoot, with a reason.',
  });
}

/** Every image with accounts of its own has it, open to all. */
const openToAll = '/tmp';

/**
 * Returns the request with its folders in memory owned by the user that the container runs as. A runtime before runc 1.1.8 gives
 * a folder that the container has already the mode of that one, whatever mode was asked for, and it has each of them once it
 * was started: it would be writable for root alone.
 */
export function withOwnedFolders(body: ContainerBody, uid: number): ContainerBody {
  const { HostConfig: host = {} } = body;
  const folders = Object.entries(host.Tmpfs ?? {}).map(([path, options]) => [path, `${options},uid=${uid}`]);
  return { ...body, HostConfig: { ...host, Tmpfs: Object.fromEntries(folders) } };
}

/** Returns whether a request has folders in memory that their owner alone may be able to write to, whatever names its image has. */
export function hasOwnFolders({ HostConfig }: ContainerBody): boolean {
  return Object.keys(HostConfig?.Tmpfs ?? {}).some((path) => path !== openToAll);
}

/** Returns the number of a user, as `uid` or `uid:gid`; nobody is root. Undefined for a name, which the image alone knows. */
export function uidOf(user: string): number | undefined {
  const [, uid] = /^(\d*)(?::.*)?$/.exec(user) ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** Returns the options of a folder's mount without its owner, who may be known by name only. */
export function withoutOwner(options: string): string {
  return options.replace(/,uid=\d+/, '');
}
