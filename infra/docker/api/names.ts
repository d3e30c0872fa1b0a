import { LockageError } from '../../../pipelines/errors.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import type { ContainerSummary } from './types.ts';

/** Returns the name of a container without the engine's leading slash. */
export function containerName(container: ContainerSummary): string {
  return container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
}

/** Throws LockageError unless this is a name or id of a container, network or volume: a name must not alter a URL. */
export function checkedName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return name;
  throw new LockageError(`"${printable(name.slice(0, 100))}" is not a name of a container, network or volume`);
}

/** Returns the name encoded as one segment of a URL's path. */
export function segment(name: string): string {
  return encodeURIComponent(checkedName(name));
}

/**
 * Returns an image reference as part of a URL's path, with its slashes kept. Throws LockageError when it is not a
 * reference.
 */
export function imagePath(ref: string): string {
  const parts = ref.split('/');
  if (!/^[a-zA-Z0-9][\w.:/@-]*$/.test(ref) || parts.includes('..') || parts.includes('')) {
    throw new LockageError(`"${printable(ref.slice(0, 100))}" is not an image reference`);
  }
  return parts.map(encodeURIComponent).join('/');
}
