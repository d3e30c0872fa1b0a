import type { Context, Ports } from '../ports.ts';

/** The calls that change something outside, by port. Taking a lock, asking and pulling images change nothing that serves. */
const changing: { readonly [Port in keyof Ports]: readonly (keyof Ports[Port])[] } = {
  records: ['saveReleases'],
  registry: [],
  builder: ['build'],
  configuration: ['removeHost'],
  hosts: ['forgetImages', 'switchNow', 'startAndStop', 'removeOthers', 'liftLock'],
  machines: ['ensure', 'routeTo', 'reconcile', 'destroy'],
  stacks: ['foundation', 'deploy'],
  removal: ['destroyStack', 'remove', 'forgetStack', 'forgetHost'],
};

/** A context, and whether anything was changed through it. */
export interface WatchedContext {
  readonly context: Context;
  /** Returns whether a call that changes something has begun. */
  touched(): boolean;
}

/** Wraps the ports of a context, so that it is known whether a call that changes something was made. */
export function watchChanges(context: Context): WatchedContext {
  let touched = false;
  const watched = <Port extends keyof Ports>(name: Port): Ports[Port] => {
    const calls = new Set<PropertyKey>(changing[name]);
    return new Proxy(context[name], {
      get(port, key) {
        const member: unknown = Reflect.get(port, key, port);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]): unknown => {
          if (calls.has(key)) touched = true;
          return Reflect.apply(member, port, values);
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
    },
    touched: () => touched,
  };
}
