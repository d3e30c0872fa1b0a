import { isRefusal } from '../../errors.ts';
import type { Context, Ports } from '../ports.ts';

/** The calls that change something outside, by port. Taking a lock, asking, pulling images,
 * writing a file and starting what is recorded change nothing that serves. */
const changing: { readonly [Port in keyof Ports]: readonly (keyof Ports[Port])[] } = {
  records: ['addRelease', 'addReleases', 'changeBlocks', 'changeArchives'],
  registry: ['copy'],
  builder: ['push'],
  configuration: ['removeHost'],
  hosts: ['forgetImages', 'switchNow', 'startAndStop', 'removeOthers', 'liftLock'],
  machines: ['build', 'ensure', 'routeTo', 'reconcile', 'destroy'],
  stacks: ['foundation', 'deploy', 'adopt'],
  removal: ['destroyStack', 'remove', 'forgetStack', 'forgetHost'],
  accessories: ['restart', 'restore'],
  storage: ['removeImage', 'removeVolume', 'removeFromRegistry', 'removeMachineImage'],
  drift: [],
  bundles: [],
  verification: [],
  dumps: [],
  evidence: ['add'],
};

/** The changing calls that leave what serves as it is. */
const preparing: ReadonlySet<PropertyKey> = new Set([
  ...['adopt', 'addReleases', 'changeBlocks', 'changeArchives', 'add', 'build', 'copy', 'ensure', 'foundation', 'push'],
  ...['removeImage', 'removeVolume', 'removeFromRegistry', 'removeMachineImage'],
]);

/**
 * The progress of an operation: nothing is different, something was made beside what serves, or what serves may
 * differ.
 */
export type Progress = 'nothing' | 'prepared' | 'changed';

/** A context, and what was changed through it. */
export interface WatchedContext {
  readonly context: Context;
  progress(): Progress;
}

/** Wraps the ports of a context, so that it is known from the calls that were made what an operation has changed. */
export function watchChanges(context: Context): WatchedContext {
  let progress: Progress = 'nothing';
  const count = (key: PropertyKey) => {
    if (progress !== 'changed') progress = preparing.has(key) ? 'prepared' : 'changed';
  };
  const watched = <Port extends keyof Ports>(name: Port): Ports[Port] => {
    const calls = new Set<PropertyKey>(changing[name]);
    return new Proxy(context[name], {
      get(port, key) {
        const member: unknown = Reflect.get(port, key, port);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(member, port, values);
          return calls.has(key) ? counted(checked(context, call), () => count(key)) : call();
        };
      },
    });
  };
  return {
    context: {
      ...context,
      records: watched('records'),
      registry: watched('registry'),
      builder: watched('builder'),
      configuration: watched('configuration'),
      hosts: watched('hosts'),
      machines: watched('machines'),
      stacks: watched('stacks'),
      removal: watched('removal'),
      accessories: watched('accessories'),
      storage: watched('storage'),
      drift: watched('drift'),
      bundles: watched('bundles'),
      verification: watched('verification'),
      dumps: watched('dumps'),
      evidence: watched('evidence'),
    },
    progress: () => progress,
  };
}

/** Calls a port only while the lock is held: whoever was overtaken changes nothing more. */
async function checked({ hosts }: Context, call: () => unknown): Promise<unknown> {
  await hosts.checkLock();
  return call();
}

/** Counts a call. One that was refused has changed nothing; one that failed in any other way may have. */
async function counted(answer: unknown, count: () => void): Promise<unknown> {
  try {
    const result = await answer;
    count();
    return result;
  } catch (error) {
    if (!isRefusal(error)) count();
    throw error;
  }
}
