import { isRefusal, StoppedError } from '../../errors.ts';
import type { DesiredState } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { KeptRecord } from '../../model/record-copy.ts';
import type { Context, Ports } from '../ports.ts';
import type { AuditTrail } from './audit-trail.ts';

/** The calls that change something outside, by port. Taking a lock, asking, pulling images,
 * writing a file and starting what is recorded change nothing that serves. */
const changing: { readonly [Port in keyof Ports]: readonly (keyof Ports[Port])[] } = {
  records: ['addRelease', 'addReleases', 'changeBlocks', 'changeArchives', 'liftLocks'],
  registry: ['copy'],
  builder: ['push', 'restoreTag'],
  configuration: ['removeHost'],
  hosts: ['forgetImages', 'switchNow', 'closeIdle', 'startAndStop', 'removeOthers', 'liftLock'],
  machines: ['build', 'ensure', 'routeTo', 'reconcile', 'destroy'],
  stacks: ['foundation', 'deploy', 'adopt', 'adoptFoundation'],
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
  ...[
    'adopt',
    'adoptFoundation',
    'addReleases',
    'changeBlocks',
    'changeArchives',
    'liftLocks',
    'add',
    'build',
    'copy',
    'ensure',
    'foundation',
    'push',
    'restoreTag',
  ],
  ...['removeImage', 'removeVolume', 'removeFromRegistry', 'removeMachineImage'],
]);

/** The calls that change nothing that serves, and are in the audit log before they are made, too. */
const announced: ReadonlySet<PropertyKey> = new Set(['recordAttempt', 'start']);

/** The calls that record the end of the audit log with what they record. */
const anchoring: ReadonlySet<PropertyKey> = new Set(['recordAttempt', 'deploy', 'adopt']);

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

/**
 * Wraps the ports of a context, so that it is known from the calls that were made what an operation has changed, and the audit
 * log has its intent before the first of them.
 */
export function watchChanges(context: Context, trail: AuditTrail): WatchedContext {
  let progress: Progress = 'nothing';
  const count = (key: PropertyKey) => {
    if (progress !== 'changed') progress = preparing.has(key) ? 'prepared' : 'changed';
  };
  let hasBegun = false;
  /** Nothing is begun that the operator wants no more. What is under way by then is ended, or taken back, by whoever does it. */
  const first = (call: () => unknown) => () => {
    if (!hasBegun && context.signal.aborted) throw new StoppedError('interrupted: nothing was changed');
    hasBegun = true;
    return call();
  };
  const watched = <Port extends keyof Ports>(name: Port): Ports[Port] => {
    const calls = new Set<PropertyKey>(changing[name]);
    return new Proxy(context[name], {
      get(port, key) {
        const member: unknown = Reflect.get(port, key, port);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]): unknown => {
          const call = (): unknown =>
            Reflect.apply(member, port, anchoring.has(key) ? withHead(values, trail) : values);
          if (calls.has(key)) return counted(begun(context, trail, first(call)), () => count(key));
          if (announced.has(key)) return begun(context, trail, call);
          return heard(`${name}.${String(key)}`, values, call(), trail);
        };
      },
    });
  };
  return {
    context: {
      ...context,
      tell: (facts) => trail.tell(facts),
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

/** Returns the values of a call that records a state, with the end of the audit log in it. */
function withHead([value, ...rest]: readonly unknown[], trail: AuditTrail): unknown[] {
  const desired = value as DesiredState;
  const audit = trail.headFor(desired.environment);
  return [audit ? { ...desired, audit } : desired, ...rest];
}

/** Passes an answer on that tells the trail of the log what others know of it. */
function heard(call: string, values: readonly unknown[], answer: unknown, trail: AuditTrail): unknown {
  if (!(answer instanceof Promise)) return answer;
  switch (call) {
    case 'hosts.lock':
      return answer.then((unlock: unknown) => {
        trail.locked((values[0] as Environment).name);
        return unlock;
      });
    case 'records.environment':
      return answer.then((record: EnvironmentRecord) => {
        trail.anchored(record.audit, String(values[0]));
        return record;
      });
    case 'hosts.kept':
      return answer.then((kept: readonly KeptRecord[]) => {
        for (const { host, copy } of kept) trail.anchored(copy?.record.audit, host.name);
        return kept;
      });
    default:
      return answer;
  }
}

/**
 * Calls a port once the audit log has the intent, and only while the lock is held: whoever was overtaken changes nothing
 * more.
 */
async function begun({ hosts }: Context, trail: AuditTrail, call: () => unknown): Promise<unknown> {
  await hosts.checkLock();
  await trail.begin();
  // To write takes time, in which somebody may take over.
  await hosts.checkLock();
  return call();
}

/** Counts a call. One that was refused, or says false, has changed nothing; one that failed in any other way may have. */
async function counted(answer: unknown, count: () => void): Promise<unknown> {
  try {
    const result = await answer;
    if (result !== false) count();
    return result;
  } catch (error) {
    if (!isRefusal(error)) count();
    throw error;
  }
}
